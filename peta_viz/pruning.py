"""Strategies: rules that say which images should go and which labels should change, and why."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import pandas as pd

from peta_viz.agreement import Flag, FlagRule, flag_name, measures_of, tally_of
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet
from peta_viz.tables import meant
from peta_viz.tally import Bits, Ints, Mask, Tally, places, read

if TYPE_CHECKING:
    from peta_viz.quality.scores import LabelQuality

NO, YES, UNKNOWN = 0, 1, 2  # the states of a cell

_MIN_SIZE = 3
_EVEN = 0.5  # a class is likelier than not from here on


@dataclass(frozen=True, eq=False)
class Verdict:
    """What one strategy wants of the images it was shown.

    Parameters
    ----------
    dropped
        bool, shape ``(images,)``.
    rows, columns
        int64, shape ``(cells,)``: the cells that change, as numbers of the image and the label, by
        row, then column; only of images that stay.
    after
        int8, shape ``(cells,)``: `NO`, `YES` or `UNKNOWN`.
    reasons
        text, shape ``(images,)``: why, for each image that it touches.

    """

    dropped: Mask
    rows: Ints
    columns: Ints
    after: "np.ndarray[Any, np.dtype[np.int8]]"
    reasons: "np.ndarray[Any, Any]"

    @classmethod
    def of(
        cls,
        imageset: ImageSet,
        *,
        dropped: Mask | None = None,
        labels: Mask | None = None,
        known: Mask | None = None,
        reasons: "str | np.ndarray[Any, Any]",
    ) -> Self:
        """Tell it from the state afterwards.

        Parameters
        ----------
        imageset
            What the strategy was shown.
        dropped
            bool, shape ``(images,)``; by default none.
        labels, known
            bool, shape ``(images, labels)``: the state afterwards; by default as it was.
        reasons
            text, one for all or of shape ``(images,)``.

        """
        out = np.zeros(len(imageset), dtype=bool) if dropped is None else dropped
        texts = _texts(reasons, len(out))
        if labels is None and known is None:
            none = np.empty(0, dtype=np.int64)
            return cls(out, none, none, none.astype(np.int8), texts)
        old = imageset.labels.to_numpy(), imageset.known.to_numpy()
        new = old[0] if labels is None else labels, old[1] if known is None else known
        # A label that is not known is the same, whatever is written there.
        differs = (old[1] != new[1]) | (new[1] & (old[0] != new[0]))
        rows, columns = np.nonzero(differs & ~out[:, None])
        after = np.where(new[1][rows, columns], new[0][rows, columns], np.int8(UNKNOWN))
        return cls(out, rows, columns, after.astype(np.int8), texts)


class Strategy(Protocol):
    """A rule that cleans; anything with a name and this call is one."""

    @property
    def name(self) -> str:
        """The name that reasons and tables show, such as ``component_pruning``."""
        ...

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images; the image set has `component_id` and is not changed."""
        ...


@dataclass(frozen=True)
class ComponentPruning:
    """Drops every image of a flagged component.

    Parameters
    ----------
    flag
        A `Flag`, or your own function from component rows to yes and no.

    """

    flag: Flag | FlagRule = Flag("disagreement", percentile=80)  # noqa: RUF009 - it is frozen

    name = "component_pruning"

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images."""
        tally = tally_of(imageset)
        components = measures_of(tally)
        bad = (self.flag(components) & (components["size"] > 1)).to_numpy()
        measure = getattr(self.flag, "measure", "disagreement")
        words = f"{flag_name(self.flag)}: {measure} is"
        reasons = np.full(len(bad), "", dtype=object)
        reasons[bad] = [f"{words} {value:.2f}" for value in components.loc[bad, measure]]
        codes = tally.groups.codes
        return Verdict.of(imageset, dropped=bad[codes], reasons=reasons[codes])


@dataclass(frozen=True)
class LabelPruning:
    """In each component removes the labels with a ratio below `ratio`: not known there any more.

    Parameters
    ----------
    ratio
        Labels that a smaller share of the component's images carries go.
    impute
        As the published code does: every image gets exactly the labels that stay.
    min_size
        Smaller components are left alone; in a pair nobody can tell who is right.

    """

    ratio: float = 0.5
    impute: bool = False
    min_size: int = _MIN_SIZE

    name = "label_pruning"

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images."""
        tally = tally_of(imageset)
        codes, open_ = tally.groups.codes, _open(tally, self.min_size)
        rare = tally.below(self.ratio) & open_
        if not self.impute:
            reason = f"fewer than {self.ratio:.0%} of the component's images carry it"
            return _unknown(tally, rare[codes], reason)
        # A label that nobody answered for the component stays unknown.
        stays = (tally.carried & ~rare)[codes]
        changed = (tally.answered & open_)[codes] & (~tally.known | (tally.labels ^ stays))
        rows, columns = places(changed, tally.width)
        reason = f"all get what at least {self.ratio:.0%} of the component's images carry"
        return Verdict(
            dropped=np.zeros(len(codes), dtype=bool),
            rows=rows,
            columns=columns,
            after=read(stays, rows, columns),
            reasons=_texts(reason, len(codes)),
        )


@dataclass(frozen=True)
class LabelIntersection:
    """Keeps only the labels that all images of the component share.

    The others are not known there any more; a component that shares none is dropped, as in the
    published code.

    Parameters
    ----------
    min_size
        Smaller components are left alone; singletons always are.

    """

    min_size: int = 2

    name = "label_intersection"

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images."""
        tally = tally_of(imageset)
        codes, open_ = tally.groups.codes, _open(tally, max(self.min_size, 2))
        shared = tally.carried & ~tally.contested
        none_left = (tally.carried & open_).any(axis=1) & ~shared.any(axis=1)
        words = ["not all images of the component carry it", "its component shares no label"]
        reasons = np.array(words, dtype=object)[none_left.astype(np.int64)]
        contested = (tally.contested & open_)[codes]
        return _unknown(tally, contested, reasons[codes], none_left[codes])


@dataclass(frozen=True)
class ImagePruning:
    """Drops images that carry a label with a ratio below `ratio` in their component.

    Parameters
    ----------
    ratio
        The share of the component's images that has to carry a label.
    min_size
        Smaller components are left alone; in a pair nobody can tell who is right.

    """

    ratio: float = 0.5
    min_size: int = _MIN_SIZE

    name = "image_pruning"

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images."""
        tally = tally_of(imageset)
        rare = tally.below(self.ratio) & _open(tally, self.min_size)
        odd = tally.labels & rare[tally.groups.codes]
        rows, columns = places(odd, tally.width)
        images, first = np.unique(rows, return_index=True)
        reasons = np.full(len(odd), "", dtype=object)
        names = imageset.labels.columns.to_numpy(dtype=object) + (
            f" is carried by fewer than {self.ratio:.0%} of its component"
        )
        reasons[images] = names[columns[first]]
        return Verdict.of(imageset, dropped=odd.any(axis=1), reasons=reasons)


@dataclass(frozen=True)
class LabelCorrection:
    """Turns labels that are likely wrong, of images with near-copies and of those without.

    Of an exclusive head an image that is corrected has the likeliest class, and no other; where a
    class is wrong and none is likelier than not, the head is not known any more.

    Parameters
    ----------
    confidence
        A label is turned when it is wrong with at least this probability.
    remove
        Do not turn it: it is not known any more.
    quality
        How likely each label is right; by default `label_quality` of the images alone, without
        what vectors and similarities would add.

    """

    confidence: float = 0.9
    remove: bool = False
    quality: "LabelQuality | None" = field(default=None, repr=False, metadata={"option": False})

    name = "label_correction"

    def __call__(self, imageset: ImageSet) -> Verdict:
        """Judge the images."""
        from peta_viz.quality.answers import Questions  # noqa: PLC0415
        from peta_viz.quality.scores import label_quality  # noqa: PLC0415 - needs scikit-learn

        quality = self.quality or label_quality(imageset)
        labels, known = imageset.labels.to_numpy(), imageset.known.to_numpy()
        scores = quality.scores.reindex(imageset.images.index)[imageset.labels.columns].to_numpy()
        wrong = known & (scores <= 1 - self.confidence)  # what has no score is left alone
        worst = np.where(wrong, scores, 2).argmin(axis=1)
        likely = 1 - scores[np.arange(len(scores)), worst]
        names = imageset.labels.columns.to_numpy()[worst]
        count = Questions.of(imageset).any(wrong).sum(axis=1)
        reasons = [
            f"{number} likely wrong, most of all {name} ({chance:.0%})" if number else ""
            for number, name, chance in zip(count, names, likely, strict=True)
        ]
        if self.remove:
            turned, known = labels & ~wrong, known & ~wrong
        else:
            turned, known = _with_one_class(imageset, labels ^ wrong, known, wrong, scores)
        return Verdict.of(
            imageset, labels=turned, known=known, reasons=np.array(reasons, dtype=object)
        )


def _with_one_class(
    imageset: ImageSet, turned: Mask, known: Mask, wrong: Mask, scores: Any
) -> tuple[Mask, Mask]:
    """Leave images one class of each exclusive head in which labels were turned, or none known."""
    turned, known = turned.copy(), known.copy()
    labels = imageset.labels.to_numpy()
    for head in imageset.heads:
        columns = imageset.labels.columns.get_indexer(pd.Index(head.labels))
        if head.kind != "exclusive":
            continue
        rows = np.flatnonzero(wrong[:, columns].any(axis=1))
        cells = np.ix_(rows, columns)
        likely = np.where(labels[cells], scores[cells], 1 - scores[cells])
        likely = np.where(known[cells], np.nan_to_num(likely), 0)
        best = likely.argmax(axis=1)
        found = likely[np.arange(len(rows)), best] > _EVEN
        turned[cells] = (np.arange(len(columns)) == best[:, None]) & found[:, None]
        known[cells] &= found[:, None]
    return turned & known, known


STRATEGIES: dict[str, type[Any]] = {
    "component_pruning": ComponentPruning,
    "label_pruning": LabelPruning,
    "label_intersection": LabelIntersection,
    "image_pruning": ImagePruning,
    "label_correction": LabelCorrection,
}


def parse_strategy(text: str) -> Strategy:
    """Read a strategy from text, as the command line and the notebooks take it.

    Parameters
    ----------
    text
        ``name`` or ``name:option=value,option=value``; `component_pruning` takes the options of
        `Flag`, the others their own.

    Raises
    ------
    InvalidDataError
        If name, option or value are not known; the message lists what is.

    Examples
    --------
    >>> parse_strategy("label_pruning:ratio=0.3,impute=yes")
    LabelPruning(ratio=0.3, impute=True, min_size=3)
    >>> parse_strategy("component_pruning:measure=std,percentile=90").flag.name
    'is_bad_component_std_90'

    """
    name, _, rest = text.partition(":")
    if name not in STRATEGIES:
        words = f"there is no such strategy{meant(name, STRATEGIES)}"
        raise InvalidDataError(
            f"the strategy {text!r}", [f"{words}; there are {', '.join(STRATEGIES)}"]
        )
    target = Flag if name == "component_pruning" else STRATEGIES[name]
    known = {one.name: str(one.type) for one in fields(target) if one.metadata.get("option", True)}
    options: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        option, equals, value = part.partition("=")
        if option not in known or not equals:
            raise InvalidDataError(
                f"the strategy {text!r}",
                [f"{part!r} is not an option; {name} takes {'=…, '.join(known)}=…"],
            )
        options[option] = _value(text, option, value, known[option])
    if target is not Flag:
        return STRATEGIES[name](**options)  # type: ignore[no-any-return]
    if "percentile" not in options and "absolute" not in options:
        options["percentile"] = 80.0
    return ComponentPruning(Flag(**options))


def _value(text: str, option: str, value: str, kind: str) -> Any:
    yes_no = {"yes": True, "true": True, "no": False, "false": False}
    try:
        if "bool" in kind:
            return yes_no[value.lower()]
        if "int" in kind:
            return int(value)
        return float(value) if "float" in kind else value
    except (KeyError, ValueError):
        raise InvalidDataError(
            f"the strategy {text!r}", [f"{option} cannot be {value!r}"]
        ) from None


def _open(tally: Tally, min_size: int) -> Bits:
    """Return all bits for the components of at least this size, and none for others."""
    large = tally.groups.sizes >= min_size
    return np.where(large, ~np.uint64(0), np.uint64(0))[:, None]


def _unknown(
    tally: Tally,
    bits: Bits,
    reasons: "str | np.ndarray[Any, Any]",
    dropped: Mask | None = None,
) -> Verdict:
    """Make labels unknown: those whose bits are set, of shape ``(images, words)``."""
    out = np.zeros(len(bits), dtype=bool) if dropped is None else dropped
    rows, columns = places(np.where(out[:, None], np.uint64(0), bits & tally.known), tally.width)
    after = np.full(len(rows), UNKNOWN, dtype=np.int8)
    return Verdict(out, rows, columns, after, _texts(reasons, len(bits)))


def _texts(reasons: "str | np.ndarray[Any, Any]", count: int) -> "np.ndarray[Any, Any]":
    return np.broadcast_to(np.asarray(reasons, dtype=object), count)
