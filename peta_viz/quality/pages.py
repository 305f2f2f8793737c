"""The labels that are likely wrong, as a list for machines and as a page for people."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from peta_viz.agreement import measure_components
from peta_viz.files import atomic, write_text
from peta_viz.markup import POLICY, templates
from peta_viz.quality.answers import LISTED
from peta_viz.quality.reading import LABEL_NOTES_FILE, WORST_FILE, WORST_PAGE
from peta_viz.quality.scores import LabelQuality
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
) -> pd.DataFrame:
    """Write the labels that are most likely wrong as a CSV file, and the first ones as a page.

    Listed are those that are wrong with a probability of `LISTED` or more.

    Parameters
    ----------
    quality
        The scores.
    folder
        Where ``worst_labels.csv`` and ``worst_labels.html`` are written, and what to bear in mind
        as ``label_notes.json``.
    count, shown
        How many labels are listed at most, and how many of them are shown with pictures.
    told
        Lines on what was read, which the page repeats.

    Returns
    -------
    DataFrame
        The list, as `LabelQuality.worst` returns it.

    """
    worst = quality.worst(count, least=LISTED)
    with atomic(Path(folder) / WORST_FILE) as partial:
        worst.to_csv(partial, index=False)
    cautions = quality.cautions if len(worst) else []
    write_text(Path(folder) / LABEL_NOTES_FILE, json.dumps(cautions))
    likely = quality.components["different"] > _DIFFERENT
    asked = quality.components.index.isin(quality.contradicting) & ~likely
    several = quality.components[likely | asked].sort_values("different", ascending=False)
    components = measure_components(quality.imageset)[["disagreement"]].loc[several.index]
    words = {number: _parts(quality, number) for number in several.index[:_MOST_SHOWN]}
    html = (
        templates()
        .get_template("worst.html.j2")
        .render(
            policy=POLICY,
            told=told,
            images=len(quality.imageset),
            listed=len(worst),
            least=LISTED,
            more=len(worst) == count,
            table=WORST_FILE,
            cautions=cautions,
            estimates=quality.expect_wrong(worst).to_dict("records"),
            findings=_findings(quality, worst.head(shown)),
            shown=min(shown, len(worst)),
            large_px=_LARGE_PX,
            small_px=_SMALL_PX,
            different=int(likely.sum()),
            asked=int(asked.sum()),
            apart=show_components(
                _by_part(quality), components, most_components=_MOST_SHOWN, notes=words
            ).html,
        )
    )
    write_text(Path(folder) / WORST_PAGE, html)
    return worst


def _findings(quality: LabelQuality, worst: pd.DataFrame) -> list[dict[str, Any]]:
    """Gather what is said of one image, and show it beside its near-copies."""
    images = quality.imageset.images
    found = []
    for image_id, own in worst.groupby("image_id", sort=False):
        row = int(images.index.get_indexer(pd.Index([image_id]))[0])
        copies = quality.copies_of(row)[:_COPIES]
        answers = own.to_dict("records")
        said = [[quality.answered(copy, answer["label"]) for answer in answers] for copy in copies]
        pictures = read_pictures(images.iloc[[row]], _LARGE_PX)
        beside = read_pictures(images.iloc[copies], _SMALL_PX)
        found.append(
            {
                "picture": pictures[str(image_id)],
                "component": own["component_id"].iloc[0],
                "answers": answers,
                "copies": list(zip(beside.values(), said, strict=True)),
            }
        )
    return found


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
    if len(sizes) == 1:
        return "several contradict several others"
    return f"likely {' + '.join(map(str, sizes))} images of different things"
