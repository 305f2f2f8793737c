"""Labels as bits, joined by component: what agreement and the strategies are told from.

Eight labels are a byte and 64 a number, so that a component's images are joined by a few "or"s;
only cells on which a component is not of one mind are counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from peta_viz.grouping import group_rows, number_components

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Bits = np.ndarray[Any, np.dtype[np.uint64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

_WORD = 64
_ROWS = 16_384  # so many at a time stay in the processor's cache
_COUNTED = 1 << 20
_BYTE = 255


@dataclass(frozen=True, eq=False)
class Groups:
    """Which images each component has.

    Parameters
    ----------
    ids
        int64, shape ``(components,)``: `component_id`, ascending.
    codes
        int64, shape ``(images,)``: the place of the image's component in `ids`.
    sizes
        int64, shape ``(components,)``: how many images it has.

    """

    ids: Ints
    codes: Ints
    sizes: Ints

    @classmethod
    def of(cls, components: Ints) -> Self:
        """Group the images by `component_id`, shape ``(images,)``."""
        codes, ids = number_components(pd.Series(components, copy=False))
        return cls(ids.to_numpy(), codes, np.bincount(codes, minlength=len(ids)))

    @cached_property
    def starts(self) -> Ints:
        """Where in `order` each component begins."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def order(self) -> Ints:
        """The images by component, those of one component in their own order."""
        return group_rows(self.codes, len(self.ids))[0]


@dataclass(frozen=True, eq=False)
class Tally:
    """The labels of all images as bits, and what the components make of them.

    Parameters
    ----------
    groups
        The components.
    width
        How many labels there are.
    labels, known
        uint64, shape ``(images, words)``: label n is bit n modulo 64 of word n // 64.

    """

    groups: Groups
    width: int
    labels: Bits
    known: Bits

    def is_of(self, components: Ints, labels: Bits, known: Bits) -> bool:
        """Say whether it is of these images, by `component_id` and bits."""
        same = np.array_equal(self.labels, labels) and np.array_equal(self.known, known)
        return same and np.array_equal(self.groups.ids[self.groups.codes], components)

    @cached_property
    def carried(self) -> Bits:
        """Per component: the labels that some image carries."""
        return self._joined(self.labels)

    @cached_property
    def contested(self) -> Bits:
        """Per component: the labels that some images carry and others do not."""
        return self.carried & self._joined(self.known & ~self.labels)

    @cached_property
    def answered(self) -> Bits:
        """Per component: the labels that are known of some image."""
        return self._joined(self.known)

    @cached_property
    def cells(self) -> tuple[Ints, Ints, Floats]:
        """The contested cells: component, label, and the label ratio; by component, then label."""
        component, label = places(self.contested, self.width)
        sizes, starts = self.groups.sizes[component], self.groups.starts[component]
        ratios = np.empty(len(component))
        word, bit = label // _WORD, (label % _WORD).astype(np.uint64)
        for some in runs(sizes, _COUNTED):
            number = sizes[some]
            edges = np.cumsum(number) - number
            image = self.groups.order[
                np.repeat(starts[some] - edges, number) + np.arange(number.sum())
            ]
            place = image, np.repeat(word[some], number)
            shift = np.repeat(bit[some], number)
            carried, known = (
                np.add.reduceat((bits[place] >> shift) & np.uint64(1), edges, dtype=np.int64)
                for bits in (self.labels, self.known)
            )
            ratios[some] = carried / known
        return component, label, ratios

    def below(self, ratio: float) -> Bits:
        """Per component: the labels that occur and whose label ratio is below `ratio`."""
        component, label, ratios = self.cells
        few = ratios < ratio
        bits = self._set(component[few], label[few])
        return bits | (self.carried & ~self.contested) if ratio > 1 else bits

    def count(self, bits: Bits) -> Ints:
        """Count per component how many images have each bit of `labels` or `known`.

        Returns
        -------
        ndarray
            int64, shape ``(components, labels)``.

        """
        groups = self.groups
        counts = np.empty((len(groups.ids), self.width), dtype=np.int64)
        for some in runs(groups.sizes, _ROWS):
            sizes, first = groups.sizes[some], groups.starts[some][0]
            edges = np.append(0, np.cumsum(sizes))
            rows = groups.order[first : first + edges[-1]]
            kind = np.uint8 if sizes.max() <= _BYTE else np.int64
            joined = (np.ones(len(rows), dtype=kind), np.arange(len(rows)), edges)
            members = sparse.csr_matrix(joined, shape=(len(sizes), len(rows)))
            counts[some] = members @ unpack(bits[rows], self.width).view(np.uint8)
        return counts

    def _set(self, component: Ints, label: Ints) -> Bits:
        bits = np.zeros_like(self.carried)
        place = component, label // _WORD
        np.bitwise_or.at(bits, place, np.uint64(1) << (label % _WORD).astype(np.uint64))
        return bits

    def _joined(self, bits: Bits) -> Bits:
        joined = np.empty((len(self.groups.ids), bits.shape[1]), dtype=np.uint64)
        for word in range(bits.shape[1]):
            ordered = bits[self.groups.order, word]
            joined[:, word] = np.bitwise_or.reduceat(ordered, self.groups.starts)
        return joined


def pack(mask: Mask) -> Bits:
    """Return a mask of shape ``(rows, columns)`` as bits, uint64 of shape ``(rows, words)``."""
    count, labels = mask.shape
    packed = np.zeros((count, -(-labels // _WORD) * _WORD // 8), dtype=np.uint8)
    for first in range(0, count, _ROWS):
        some = slice(first, first + _ROWS)
        if mask.flags.c_contiguous:
            packed[some, : -(-labels // 8)] = np.packbits(mask[some], axis=1, bitorder="little")
            continue
        values = mask[some].view(np.uint8)  # frames keep their columns together
        for label in range(labels):
            packed[some, label // 8] |= values[:, label] << np.uint8(label % 8)
    return packed.view("<u8")


def unpack(bits: Bits, width: int) -> Mask:
    """Return bits as the mask of shape ``(rows, width)`` that they were packed from."""
    few = np.ascontiguousarray(bits).view(np.uint8)
    return np.unpackbits(few, axis=1, count=width, bitorder="little").view(np.bool_)


def places(bits: Bits, width: int) -> tuple[Ints, Ints]:
    """Return row and column of every bit that is set, by row, then column."""
    rows = np.flatnonzero(bits.any(axis=1))
    found = []
    for first in range(0, len(rows), _ROWS):
        some = rows[first : first + _ROWS]
        row, column = np.nonzero(unpack(bits[some], width))
        found.append((some[row], column))
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate([row for row, _ in found]), np.concatenate([one for _, one in found])


def read(bits: Bits, rows: Ints, columns: Ints) -> "np.ndarray[Any, np.dtype[np.int8]]":
    """Return 1 where the bit of this row and column is set, and 0 elsewhere."""
    shift = (columns % _WORD).astype(np.uint64)
    found: Bits = (bits[rows, columns // _WORD] >> shift) & np.uint64(1)
    return found.astype(np.int8)


def runs(sizes: Ints, most: int) -> Iterator[slice]:
    """Cut into runs whose sizes add up to at most `most`; what is larger is a run of its own."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        done = ends[first] - sizes[first]
        last = max(int(np.searchsorted(ends, done + most, side="right")), first + 1)
        yield slice(first, last)
        first = last
