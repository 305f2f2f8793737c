"""Who is compared: code that is not timed, code that is, and where the pictures are in the page."""

from dataclasses import dataclass

PICTURE_PX = 112
_WIDTH_PX = 56


@dataclass(frozen=True)
class Candidate:
    """One way to look at many images.

    Parameters
    ----------
    setup
        Code that runs before the clock does; it finds `paths`, the list of image files.
    code
        Code that is timed.
    root
        Selector of the element whose nodes are counted.
    container
        Selector of what holds the pictures and no other ``img``.
    page
        The HTML file that `code` writes; empty for what shows itself in the notebook.

    """

    setup: str
    code: str
    root: str
    container: str
    page: str = ""


_IMAGE_SET = """
import numpy as np
import pandas as pd
from peta_viz import Gallery, ImageSet

# As in PETA: about a hundred labels, ten on each image; components of 1 to 8 images in turn.
labels = [f"label{number}" for number in range(100)]
frame = pd.DataFrame(np.random.default_rng(0).random((len(paths), 100)) < 0.1, columns=labels)
frame["path"] = paths
frame["image_id"] = [f"{number:06d}" for number in range(len(paths))]
sizes = np.resize(np.arange(1, 9), len(paths))
component_id = np.repeat(np.arange(len(paths)), sizes)[: len(paths)]
imageset = ImageSet.from_frame(frame, path="path", labels=labels, image_id="image_id")
imageset = imageset.with_columns(component_id=component_id)
"""
_FASTDUP = """
import os
os.environ["SENTRY_OPT_OUT"] = os.environ["FASTDUP_PRODUCTION"] = "1"
import fastdup
import pandas as pd
stats = pd.DataFrame({"index": range(len(paths)), "filename": paths, "mean": 0.0})
"""
_FASTDUP_GALLERY = """
assert fastdup.create_stats_gallery(
    stats, "fastdup", num_images=len(paths), metric="mean", work_dir="fastdup", lazy_load={lazy}
) == 0
"""
_OUTPUT = ".jp-Cell .jp-OutputArea"


def _ours(view: str) -> Candidate:
    code = f"Gallery(imageset, view={view!r}, thumb_px={PICTURE_PX})"
    return Candidate(_IMAGE_SET, code, root=".pv-gallery", container=".pv-viewport")


def _fastdup(*, lazy: bool) -> Candidate:
    code = _FASTDUP_GALLERY.format(lazy=lazy)
    return Candidate(_FASTDUP, code, "body", "section.components", page="fastdup/mean.html")


CANDIDATES = {
    "ours, images": _ours("images"),
    "ours, components": _ours("components"),
    "ipyplot": Candidate(
        "import ipyplot",
        f"ipyplot.plot_images(paths, max_images=len(paths), img_width={_WIDTH_PX}, force_b64=True)",
        root=_OUTPUT,
        container=_OUTPUT,
    ),
    "ipywidgets": Candidate(
        "from pathlib import Path\nimport ipywidgets",
        f"""
ipywidgets.GridBox(
    [ipywidgets.Image(value=Path(path).read_bytes(), height={PICTURE_PX}) for path in paths],
    layout={{"grid_template_columns": "repeat(auto-fill, {_WIDTH_PX + 4}px)"}},
)""",
        root=_OUTPUT,
        container=_OUTPUT,
    ),
    "fastdup": _fastdup(lazy=False),
    "fastdup, lazy_load": _fastdup(lazy=True),
}
