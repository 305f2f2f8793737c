"""Still pictures for reports: components as rows of pictures, in HTML that needs nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any

import pandas as pd

from peta_viz.agreement import LabelCounts, count_labels
from peta_viz.errors import UnreadableImageError
from peta_viz.images import jpeg_uri
from peta_viz.imageset import ImageSet
from peta_viz.loader import ImageLoader
from peta_viz.markup import Still, templates

_FLAG = "is_bad_component_"
_PATIENCE_S = 5


def show_components(
    imageset: ImageSet,
    components: pd.DataFrame,
    *,
    most_components: int = 12,
    most_images: int = 8,
    thumb_px: int = 112,
    byte_budget: int = 4_000_000,
    notes: Mapping[Any, str] | None = None,
    left_out: int = 0,
    title: str = "",
) -> Still:
    """Show components as rows of pictures, with their contested labels and their flags.

    Parameters
    ----------
    imageset
        Images with `component_id`.
    components
        Rows of `measure_components`, in the order to show, with flags if there are any.
    most_components, most_images
        How many components, and pictures of each, are shown.
    thumb_px
        Height of the pictures.
    byte_budget
        Pictures stop where the HTML would grow larger.
    notes
        Texts by `component_id`, shown beside the component.
    left_out
        How many more components there are, to be said below.
    title
        A line above.

    Returns
    -------
    Still
        HTML that says what it leaves out. What cannot be decoded is shown as a box with the reason.

    """
    chosen = components.head(most_components)
    left_out += len(components) - len(chosen)
    if not len(chosen):
        return Still("<p>There is no component to show.</p>")
    shown = imageset.subset(imageset.images["component_id"].isin(chosen.index))
    first = shown.images.groupby("component_id", sort=False).head(most_images)
    come = _fetched(first["path"], thumb_px)
    counts = count_labels(shown)
    members = shown.images.groupby("component_id", sort=False)
    spent, rows = 0, []
    for number, row in chosen.iterrows():
        pictures = []
        images, disagreement = members.get_group(number), row.get("disagreement")
        for image_id, image in images.head(most_images).iterrows():
            if spent > byte_budget:
                break
            pictures.append(_picture(str(image_id), image["path"], image["subset"], thumb_px, come))
            spent += len(pictures[-1]["uri"])
        rows.append(
            {
                "id": number,
                "size": len(images),
                "more": len(images) - len(pictures),
                "disagreement": None if pd.isna(disagreement) else disagreement,
                "flags": [name.removeprefix(_FLAG) for name in _flags(row)],
                "note": (notes or {}).get(number, ""),
                "contested": _contested(counts, number),
                "pictures": pictures,
            }
        )
    html = (
        templates()
        .get_template("components.html.j2")
        .render(rows=rows, left_out=left_out, thumb_px=thumb_px, title=title)
    )
    return Still(html)


def show_images(
    imageset: ImageSet,
    captions: Sequence[str],
    *,
    thumb_px: int = 112,
    byte_budget: int = 4_000_000,
    left_out: int = 0,
    title: str = "",
) -> Still:
    """Show images in a grid, each with a caption.

    Parameters
    ----------
    imageset
        The images.
    captions
        One text per image.
    thumb_px
        Height of the pictures.
    byte_budget
        Pictures stop where the HTML would grow larger.
    left_out
        How many more images there are, to be said below.
    title
        A line above.

    """
    pictures: list[dict[str, str]] = []
    spent, come = 0, _fetched(imageset.images["path"], thumb_px)
    for (image_id, row), caption in zip(imageset.images.iterrows(), captions, strict=True):
        if spent > byte_budget:
            break
        picture = _picture(str(image_id), row["path"], row["subset"], thumb_px, come)
        pictures.append({**picture, "caption": caption})
        spent += len(picture["uri"])
    left_out += len(imageset) - len(pictures)
    template = templates().get_template("images.html.j2")
    return Still(
        template.render(pictures=pictures, thumb_px=thumb_px, left_out=left_out, title=title)
    )


def read_pictures(images: pd.DataFrame, thumb_px: int) -> dict[str, dict[str, str]]:
    """Read small pictures of images.

    Parameters
    ----------
    images
        Rows of `ImageSet.images`.
    thumb_px
        Their height.

    Returns
    -------
    dict
        By `image_id`: `id`, `subset`, `uri` (a data URI, empty if it cannot be shown), `reason`.

    """
    come = _fetched(images["path"], thumb_px)
    return {
        str(image_id): _picture(str(image_id), row["path"], row["subset"], thumb_px, come)
        for image_id, row in images.iterrows()
    }


def _fetched(paths: Iterable[str], px: int) -> "dict[str, Future[bytes]]":
    """Fetch what lies behind URLs, all at once, and wait for a while; what comes later is left out.

    Somebody waits for the cell: a few servers that do not answer must not hold it up.
    """
    loaders = {path: ImageLoader(path) for path in paths}
    remote = {path: loader for path, loader in loaders.items() if loader.is_remote}
    if not remote:
        return {}
    pool = ThreadPoolExecutor(max_workers=min(32, len(remote)))
    coming = {path: pool.submit(loader.jpeg, px) for path, loader in remote.items()}
    wait(coming.values(), timeout=_PATIENCE_S)
    pool.shutdown(wait=False, cancel_futures=True)
    return coming


def _picture(
    image_id: str, path: str, subset: str, thumb_px: int, come: "Mapping[str, Future[bytes]]"
) -> dict[str, str]:
    picture = {"id": image_id, "subset": subset, "uri": "", "reason": ""}
    if path in come and not come[path].done():
        return picture | {"reason": f"it did not come within {_PATIENCE_S} s"}
    try:
        jpeg = come[path].result() if path in come else ImageLoader(path).jpeg(thumb_px)
        picture["uri"] = jpeg_uri(jpeg)
    except CancelledError:
        picture["reason"] = f"it did not come within {_PATIENCE_S} s"
    except UnreadableImageError as error:
        picture["reason"] = error.reason
    return picture


def _flags(row: "pd.Series[Any]") -> Iterable[str]:
    return [str(name) for name, value in row.items() if str(name).startswith(_FLAG) and value]


def _contested(counts: LabelCounts, component: Any) -> list[dict[str, Any]]:
    carried, known = counts.carried.loc[component], counts.known.loc[component]
    labels = counts.contested.loc[component]
    return [
        {"label": label, "carried": int(carried[label]), "known": int(known[label])}
        for label in labels.index[labels]
    ]
