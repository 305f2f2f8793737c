"""Strategies: rules that say which images should go and which labels should change, and why."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from peta_viz.agreement import (
    Flag,
    FlagRule,
    LabelCounts,
    component_ids,
    count_labels,
    flag_name,
    measure_components,
)
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import ImageSet

if TYPE_CHECKING:
    from peta_viz.quality.scores import LabelQuality

_MIN_SIZE = 3

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What one strategy wants of the images it was shown.

    Parameters
    ----------
    dropped
        bool, shape ``(images,)``.
    labels, known
        bool, shape ``(images, labels)``: the state afterwards.
    reasons
        text, shape ``(images,)``: why, for each image that it touches.

    """

    dropped: Mask
    labels: Mask
    known: Mask
    reasons: "np.ndarray[Any, Any]"


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
        components = measure_components(imageset)
        bad = (self.flag(components) & (components["size"] > 1)).to_numpy()
        rows = components.index.get_indexer(pd.Index(component_ids(imageset)))
        measure = getattr(self.flag, "measure", "disagreement")
        reasons = f"{flag_name(self.flag)}: {measure} is " + components[measure].map(
            "{:.2f}".format
        )
        return _verdict(imageset, dropped=bad[rows], reasons=reasons.to_numpy()[rows])


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
        counts, rows = _counts(imageset)
        open_ = _large(counts, self.min_size)[:, None]
        ratios = counts.ratios.to_numpy()
        carried = counts.carried.to_numpy() > 0
        rare = (open_ & carried & (ratios < self.ratio))[rows]
        labels, known = imageset.labels.to_numpy(), imageset.known.to_numpy()
        if self.impute:
            # A label that nobody answered for the component stays unknown.
            answered = (open_ & (counts.known.to_numpy() > 0))[rows]
            stays = (carried & (ratios >= self.ratio))[rows]
            labels = np.where(answered, stays, labels)
            known = known | answered
        else:
            labels, known = labels & ~rare, known & ~rare
        reason = f"fewer than {self.ratio:.0%} of the component's images carry it"
        if self.impute:
            reason = f"all get what at least {self.ratio:.0%} of the component's images carry"
        return _verdict(imageset, labels=labels, known=known, reasons=reason)


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
        counts, rows = _counts(imageset)
        open_ = _large(counts, max(self.min_size, 2))
        contested = (counts.contested.to_numpy() & open_[:, None])[rows]
        carried = counts.carried.to_numpy() > 0
        shared = carried & ~counts.contested.to_numpy()
        none_left = open_ & carried.any(axis=1) & ~shared.any(axis=1)
        reasons = np.where(
            none_left[rows],
            "its component shares no label",
            "not all images of the component carry it",
        )
        return _verdict(
            imageset,
            dropped=none_left[rows],
            labels=imageset.labels.to_numpy() & ~contested,
            known=imageset.known.to_numpy() & ~contested,
            reasons=reasons,
        )


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
        counts, rows = _counts(imageset)
        open_ = _large(counts, self.min_size)[:, None]
        rare = (open_ & (counts.ratios.to_numpy() < self.ratio))[rows]
        odd = imageset.labels.to_numpy() & rare
        first = imageset.labels.columns.to_numpy()[odd.argmax(axis=1)].astype(object)
        reasons = first + f" is carried by fewer than {self.ratio:.0%} of its component"
        return _verdict(imageset, dropped=odd.any(axis=1), reasons=reasons)


@dataclass(frozen=True)
class LabelCorrection:
    """Turns labels that are likely wrong, of images with near-copies and of those without.

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
        from peta_viz.quality.scores import label_quality  # noqa: PLC0415 - needs scikit-learn

        quality = self.quality or label_quality(imageset)
        labels, known = imageset.labels.to_numpy(), imageset.known.to_numpy()
        scores = quality.scores.reindex(imageset.images.index)[imageset.labels.columns].to_numpy()
        wrong = known & (scores <= 1 - self.confidence)  # what has no score is left alone
        worst = np.where(wrong, scores, 2).argmin(axis=1)
        likely = 1 - scores[np.arange(len(scores)), worst]
        names = imageset.labels.columns.to_numpy()[worst]
        count = wrong.sum(axis=1)
        reasons = [
            f"{number} likely wrong, most of all {name} ({chance:.0%})" if number else ""
            for number, name, chance in zip(count, names, likely, strict=True)
        ]
        return _verdict(
            imageset,
            labels=labels & ~wrong if self.remove else labels ^ wrong,
            known=known & ~wrong if self.remove else known,
            reasons=np.array(reasons, dtype=object),
        )


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
        raise InvalidDataError(
            f"the strategy {text!r}", [f"{name!r} is none of {', '.join(STRATEGIES)}"]
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


def _counts(imageset: ImageSet) -> "tuple[LabelCounts, np.ndarray[Any, np.dtype[np.int64]]]":
    """Return the counts per component and, per image, the row of its component."""
    counts = count_labels(imageset)
    return counts, counts.sizes.index.get_indexer(pd.Index(component_ids(imageset)))


def _large(counts: LabelCounts, min_size: int) -> Mask:
    return counts.sizes.to_numpy() >= min_size


def _verdict(
    imageset: ImageSet,
    *,
    reasons: "str | np.ndarray[Any, Any]",
    dropped: Mask | None = None,
    labels: Mask | None = None,
    known: Mask | None = None,
) -> Verdict:
    count = len(imageset)
    return Verdict(
        dropped=np.zeros(count, dtype=bool) if dropped is None else dropped,
        labels=imageset.labels.to_numpy() if labels is None else labels,
        known=imageset.known.to_numpy() if known is None else known,
        reasons=np.broadcast_to(np.asarray(reasons, dtype=object), count),
    )
