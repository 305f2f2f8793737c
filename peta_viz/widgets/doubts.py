"""Doubts: which labels of a component are likely wrong, why, and which of them are still open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from peta_viz.agreement import component_ids, count_labels
from peta_viz.curation.acts import Cell
from peta_viz.curation.case import NO, YES, Case
from peta_viz.errors import InvalidDataError
from peta_viz.grouping import group_rows, number_components
from peta_viz.imageset import Head, ImageSet
from peta_viz.quality.scores import EVEN
from peta_viz.words import first_of

FEW = 5  # labels that are shown at once


@dataclass(frozen=True)
class Doubt:
    """A label that is likely wrong of some images of a component, for one reason.

    Parameters
    ----------
    label
        Its name.
    suggested
        ``"yes"`` or ``"no"``: what it should be.
    reason
        The evidence in words.
    contested
        Do the images of the component not agree about it, before anybody decided anything?
    wrong
        By the ids of the images: how likely it is wrong there, the likeliest first.

    """

    label: str
    suggested: str
    reason: str
    contested: bool
    wrong: Mapping[str, float]

    def open_images(self, case: Case) -> list[str]:
        """Return the images that are not dropped, and of which the label is still doubted.

        It is not once somebody has decided it, or once the images of the group agree where they
        did not before: then what spoke against it was decided, dropped, or split off.
        """
        doubted = NO if self.suggested == YES else YES
        return [
            one
            for one in self.wrong
            if case.value(self._cell(one)) == doubted
            and case.ledger.value(self._cell(one)) is None
            and case.value(Cell(one, "image")) == "in"
            and (not self.contested or self._contested(case, one))
        ]

    def touched(self, case: Case) -> bool:
        """Tell whether somebody has decided the label of any of the images."""
        return any(case.ledger.value(self._cell(one)) is not None for one in self.wrong)

    def describe(self, case: Case, *, is_open: bool) -> list[Any]:
        """Say of which pictures one doubts what.

        Returns
        -------
        list
            The places of the pictures, those that are open if any are; what they all say, or
            nothing; what they should; per cent, the least and the greatest probability that it is
            wrong; the reason; and is it open?

        """
        left = self.open_images(case) if is_open else []
        images = left or list(self.wrong)
        values = {case.value(self._cell(one)) for one in images}
        cent = [round(100 * self.wrong[one]) for one in images]
        return [
            sorted(case.ids.index(one) for one in images),
            values.pop() if len(values) == 1 else "",
            self.suggested,
            min(cent),
            max(cent),
            self.reason,
            bool(left),
        ]

    def _contested(self, case: Case, image_id: str) -> bool:
        column = case.names.index(self.label)
        group = case.groups == case.groups[case.ids.index(image_id)]
        said = case.labels[group & case.kept & case.known[:, column], column]
        return bool(said.any() and not said.all())

    def _cell(self, image_id: str) -> Cell:
        return Cell(image_id, "label", self.label)


@dataclass(frozen=True)
class Doubts:
    """The doubted labels of every component, the likeliest wrong first.

    Parameters
    ----------
    found
        By `component_id`.

    """

    found: Mapping[int, Sequence[Doubt]]

    @classmethod
    def of(cls, imageset: ImageSet, doubts: pd.DataFrame) -> Self:
        """Take what is likelier wrong than right, and is still so in the image set.

        Parameters
        ----------
        imageset
            Images with `component_id`.
        doubts
            As `LabelQuality.worst` returns: `image_id`, `label` (or an exclusive head),
            `suggested`, `score`, and `reason`, which may be missing.

        Raises
        ------
        InvalidDataError
            If columns, images or labels are not there.

        """
        table = _replaced(imageset, _table(imageset, doubts))
        if table.empty:
            return cls({})
        near = imageset.images["component_id"].isin(table["component"])
        cells = count_labels(imageset.subset(near)).contested
        ids, names = cells.index, cells.columns
        places = np.argwhere(cells.to_numpy())
        contested = {(ids[component], names[label]) for component, label in places}
        keys = ["component", "label", "suggested", "reason", "image", "wrong"]
        found: dict[int, dict[tuple[str, str, str, bool], dict[str, float]]] = {}
        for component, label, value, reason, image, wrong in table[keys].itertuples(index=False):
            own = found.setdefault(int(component), {})
            key = (label, value, reason, (component, label) in contested)
            own.setdefault(key, {})[image] = float(wrong)
        return cls(
            {
                component: [Doubt(*key, wrong) for key, wrong in own.items()]
                for component, own in found.items()
            }
        )

    def in_words(self, component_id: int) -> str:
        """Say in a line what is doubted of a component, the likeliest wrong first."""
        return "; ".join(
            f"{one.label}: {max(one.wrong.values()):.0%} likely wrong, rather {one.suggested}, in "
            f"{first_of(list(one.wrong), 3)}: {one.reason}"
            for one in self.found.get(component_id, ())[:FEW]
        )

    def open_labels(self, case: Case) -> list[str]:
        """Return the labels of a component that are doubted, the likeliest wrong first."""
        own = self.found.get(case.component_id, ())
        return list(dict.fromkeys(one.label for one in own if one.open_images(case)))

    def describe(self, case: Case, open_labels: Sequence[str]) -> dict[str, list[list[Any]]]:
        """Describe the first doubted labels, the first that are open, and those decided upon.

        Parameters
        ----------
        case
            The component.
        open_labels
            As `open_labels` returns; none of a component that is settled.

        Returns
        -------
        dict
            By label, the likeliest wrong first: its doubts, each as `Doubt.describe` has it.

        """
        by_label: dict[str, list[Doubt]] = {}
        for one in self.found.get(case.component_id, ()):
            by_label.setdefault(one.label, []).append(one)
        later = set(open_labels[FEW:])
        return {
            label: [one.describe(case, is_open=label in open_labels) for one in own]
            for place, (label, own) in enumerate(by_label.items())
            if label not in later
            and (label in open_labels or place < FEW or any(one.touched(case) for one in own))
        }


def _table(imageset: ImageSet, doubts: pd.DataFrame) -> pd.DataFrame:
    """Return what is doubted, the likeliest wrong first."""
    missing = {"image_id", "label", "suggested", "score"}.difference(doubts.columns)
    if missing:
        raise InvalidDataError("the doubts", [f"no column {name}" for name in sorted(missing)])
    given = pd.DataFrame(
        {
            "image": doubts["image_id"].astype("str"),
            "label": doubts["label"].astype("str"),
            "suggested": doubts["suggested"].astype("str"),
            "reason": doubts["reason"].astype("str") if "reason" in doubts else "",
            "wrong": 1 - doubts["score"].astype("float64"),
        }
    )
    rows = imageset.images.index.get_indexer(pd.Index(given["image"]))
    _check(rows < 0, given["image"], "images are not there")
    table = _as_labels(imageset, given.assign(row=rows))
    columns = imageset.labels.columns.get_indexer(pd.Index(table["label"]))
    _check(columns < 0, table["label"], "labels are not there")
    suggested = table["suggested"]
    _check(~suggested.isin([YES, NO]).to_numpy(), suggested, "values are neither yes nor no")
    rows = table["row"].to_numpy()
    carried = imageset.labels.to_numpy()[rows, columns]
    known = imageset.known.to_numpy()[rows, columns]
    kept = (table["wrong"] > EVEN) & known & (carried != (suggested == YES))
    found: pd.DataFrame = table.assign(component=component_ids(imageset)[rows])[kept]
    return found.sort_values("wrong", ascending=False, kind="stable")


def _as_labels(imageset: ImageSet, answers: pd.DataFrame) -> pd.DataFrame:
    """Turn what is suggested of an exclusive head into what is suggested of its labels.

    That is a yes for the class that it should be; of several classes a no for those that it should
    not be, and a no for each class where none is suggested.
    """
    heads = {head.name: head for head in imageset.heads if head.kind == "exclusive"}
    is_head = answers["label"].isin(heads.keys() - set(imageset.labels.columns))
    labels = imageset.labels
    found = []
    for one in answers[is_head].to_dict("records"):
        head = heads[one["label"]]
        carried = [label for label in head.labels if labels[label].iloc[one["row"]]]
        rather = head.by_short.get(one["suggested"])
        if rather is None and one["suggested"]:
            words = f"{one['suggested']!r} is no class of {head.name!r}"
            raise InvalidDataError("the doubts", [words])
        if rather is None or rather in carried:
            found += [{**one, "label": c, "suggested": NO} for c in carried if c != rather]
            continue
        places = f"; in place of {', '.join(carried)}" if carried else ""
        found.append(
            {**one, "label": rather, "suggested": YES, "reason": f"{one['reason']}{places}"}
        )
    if not found:
        return answers[~is_head]
    return pd.concat([answers[~is_head], pd.DataFrame(found)], ignore_index=True)


def _replaced(imageset: ImageSet, table: pd.DataFrame) -> pd.DataFrame:
    """Suggest a class in the place of one that is doubted: what most others of the component carry.

    Where no class is commonest among them, it stays the suggestion that it is not this one.
    """
    heads = _exclusive_heads(imageset)
    alone = (table["suggested"] == NO) & table["label"].isin(heads.keys())
    if not alone.any():
        return table
    names, labels = imageset.labels.columns, imageset.labels.to_numpy()
    known = imageset.known.to_numpy()
    codes, ids = number_components(imageset.images["component_id"])
    order, starts = group_rows(codes, len(ids))
    table = table.copy()
    doubted = table.loc[alone, ["image", "label", "reason"]]
    for place, image_id, label, reason in doubted.itertuples():
        own = names.get_indexer(pd.Index(heads[label].labels))
        image = imageset.images.index.get_loc(image_id)
        members = order[slice(*starts[codes[image] : codes[image] + 2])]
        cells = np.ix_(members[members != image], own)
        votes = (labels[cells] & known[cells]).sum(axis=0)
        best = own[votes.argmax()]
        if (votes == votes.max()).sum() == 1 and not labels[image, best]:
            table.loc[place, ["label", "suggested"]] = names[best], YES
            table.loc[place, "reason"] = f"{reason}; in place of {label}"
    return table


def _exclusive_heads(imageset: ImageSet) -> dict[str, Head]:
    """Return the exclusive head of each label that has one."""
    heads = [head for head in imageset.heads if head.kind == "exclusive"]
    return {label: head for head in heads for label in head.labels}


def _check(wrong: Any, values: "pd.Series[Any]", words: str) -> None:
    if wrong.any():
        first = values[wrong].iloc[0]
        raise InvalidDataError("the doubts", [f"{wrong.sum()} {words}, such as {first!r}"])
