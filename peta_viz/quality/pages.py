"""The labels that are likely wrong, as a list for machines and as a page for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from peta_viz.agreement import measure_components
from peta_viz.files import atomic, write_text
from peta_viz.imageset import ImageSet
from peta_viz.markup import POLICY, templates
from peta_viz.quality.reading import WORST_FILE, WORST_PAGE
from peta_viz.quality.scores import LISTED, LabelQuality
from peta_viz.stills import read_pictures, show_components

_DIFFERENT = 0.5
_LARGE_PX, _SMALL_PX = 160, 80
_COPIES = 4
_MOST_SHOWN = 20  # components


def write_worst(
    quality: LabelQuality,
    folder: str | Path,
    *,
    count: int = 1_000,
    shown: int = 100,
    told: Sequence[str] = (),
) -> tuple[Path, Path]:
    """Write the labels that are most likely wrong as a CSV file, and the first ones as a page.

    Listed are those that are wrong with a probability of `LISTED` or more.

    Parameters
    ----------
    quality
        The scores.
    folder
        Where ``worst_labels.csv`` and ``worst_labels.html`` are written.
    count, shown
        How many labels are listed at most, and how many of them are shown with pictures.
    told
        Lines on what was read, which the page repeats.

    Returns
    -------
    tuple of Path
        The list and the page.

    """
    table, page = Path(folder) / WORST_FILE, Path(folder) / WORST_PAGE
    worst = quality.worst(count, least=LISTED)
    with atomic(table) as partial:
        worst.to_csv(partial, index=False)
    several = quality.components[quality.components["different"] > _DIFFERENT]
    several = several.sort_values("different", ascending=False)
    components = measure_components(quality.imageset)[["disagreement"]].loc[several.index]
    words = {number: _parts(quality, number) for number in several.index[:_MOST_SHOWN]}
    html = (
        templates()
        .get_template("worst.html.j2")
        .render(
            policy=POLICY,
            told=told,
            images=len(quality.imageset),
            labels=quality.scores.shape[1],
            listed=len(worst),
            least=LISTED,
            more=len(worst) == count,
            table=WORST_FILE,
            counting=quality.counting,
            cautions=quality.cautions if len(worst) else [],
            estimates=quality.expect_wrong(worst).to_dict("records"),
            findings=_findings(quality, worst.head(shown)),
            shown=min(shown, len(worst)),
            large_px=_LARGE_PX,
            small_px=_SMALL_PX,
            different=len(several),
            apart=show_components(
                _by_part(quality), components, most_components=_MOST_SHOWN, notes=words
            ).html,
        )
    )
    write_text(page, html)
    return table, page


def _findings(quality: LabelQuality, worst: pd.DataFrame) -> list[dict[str, Any]]:
    """Gather what is said of one image, and show it beside its near-copies."""
    imageset = quality.imageset
    index = imageset.images.index
    labels, known = imageset.labels.to_numpy(), imageset.known.to_numpy()
    found = []
    for image_id, own in worst.groupby("image_id", sort=False):
        row = int(index.get_indexer(pd.Index([image_id]))[0])
        copies = quality.copies_of(row)[:_COPIES]
        turns = _turns(imageset, row, own.to_dict("records"))
        columns = imageset.labels.columns.get_indexer(pd.Index([one["of"] for one in turns]))
        pictures = read_pictures(imageset.images.iloc[[row]], _LARGE_PX)
        beside = read_pictures(imageset.images.iloc[copies], _SMALL_PX)
        states = [
            ["?" if not known[one, c] else "✓" if labels[one, c] else "–" for c in columns]
            for one in copies
        ]
        found.append(
            {
                "picture": pictures[str(image_id)],
                "component": own["component_id"].iloc[0],
                "labels": turns,
                "copies": list(zip(beside.values(), states, strict=True)),
            }
        )
    return found


def _turns(imageset: ImageSet, row: int, doubts: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """Put the doubts about one class together: what it is, and what it rather is.

    `of` is the label whose near-copies are shown.
    """
    carried = imageset.labels.iloc[row]
    exclusive = {h.name: h.labels for h in imageset.heads if h.kind == "exclusive"}
    turns: list[dict[Any, Any]] = []
    for head in dict.fromkeys(doubt["head"] for doubt in doubts):
        own = [doubt for doubt in doubts if doubt["head"] == head]
        if head not in exclusive:
            turns += [{**doubt, "of": doubt["label"]} for doubt in own]
            continue
        rather = [doubt for doubt in own if doubt["suggested"] == "yes"][:1]
        told = [doubt for doubt in own if doubt["suggested"] == "no"] + rather
        names = [label for label in exclusive[head] if carried[label]]
        reasons = [
            f"{short}: {doubt['reason']}" if len(told) > 1 else doubt["reason"]
            for doubt in told
            for short in [doubt["label"].removeprefix(f"{head}=")]
        ]
        turns.append(
            {
                "label": head,
                "value": ", ".join(name.removeprefix(f"{head}=") for name in names) or "none",
                "suggested": rather[0]["label"].removeprefix(f"{head}=") if rather else "another",
                "score": min(doubt["score"] for doubt in told),
                "reason": "; ".join(reasons),
                "of": (rather or told)[0]["label"],
            }
        )
    return sorted(turns, key=lambda turn: float(turn["score"]))


def _by_part(quality: LabelQuality) -> Any:
    """Put the images of one part beside each other."""
    imageset = quality.imageset
    order = quality.images["part"].sort_values(kind="stable").index
    return type(imageset)(
        imageset.images.loc[order],
        imageset.labels.loc[order],
        imageset.known.loc[order],
        imageset.heads,
    )


def _parts(quality: LabelQuality, component: int) -> str:
    own = quality.images[(quality.imageset.images["component_id"] == component).to_numpy()]
    sizes = own["part"].value_counts().sort_index()
    return f"likely {' + '.join(map(str, sizes))} images of different things"
