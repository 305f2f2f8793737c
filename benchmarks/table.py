"""What was measured, as a table for people and as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.candidates import PICTURE_PX
from benchmarks.session import JUMPS

_COLUMNS = [
    ("first picture, s", "first_s", "{:,.1f}"),
    ("bytes per picture seen", "bytes_per_picture", "{:,.0f}"),
    ("DOM nodes", "nodes", "{:,.0f}"),
    ("kernel memory, MB", "kernel_mb", "{:,.0f}"),
    ("jump, median ms", "jump_median_ms", "{:,.0f}"),
    ("jump, 95 % ms", "jump_p95_ms", "{:,.0f}"),
]
_PAGE = """\
# The gallery beside what people use today

`{command}`, {date}: {cpus} CPUs ({cpu}), {memory_gb} GB of memory, JupyterLab and Chromium on
that machine. Images: {source}, {files:,} files, repeated where more are shown.

{table}

Pictures are {picture_px} px high everywhere.

- **First picture**: from running the cell (for fastdup: from the call that writes its page) until
  a picture is on screen. Reading tables and importing come before.
- **Bytes per picture seen**: what came over Jupyter's web sockets, or the size of fastdup's page
  and of the picture files it opened, divided by the pictures that were on screen in the session.
- **DOM nodes**: below the output of the cell, the gallery's root, or the body of fastdup's page.
- **Kernel memory**: resident set after the jumps, less that before the cell ran.
- **Jump**: {jumps} random scroll positions, the same for all, each until the frame after the one
  in which every picture on screen was loaded.

The candidates: our `Gallery` in two views, with a hundred random labels and components of 1 to 8
images; `ipyplot.plot_images(…, force_b64=True)`; a `GridBox` of `ipywidgets.Image`; fastdup's
`create_stats_gallery` asked for all images and opened from disk, once as it comes (pictures inside
the page) and once with `lazy_load=True` (pictures beside it).

A limit of {limit_s:.0f} s holds for the first picture, for the rest of the page, and for all
jumps together. Who fails gets three tries. Who did not make one size was not tried at the next.
"""


def write(out: Path, facts: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> None:
    """Write ``<out>.md`` and ``<out>.json``."""
    head = ["images", "", *[title for title, _, _ in _COLUMNS]]
    align = ["--:", "---", *["--:"] * len(_COLUMNS)]
    rows = [row(result) for result in sorted(results, key=lambda result: result["images"])]
    table = "\n".join([_join(head), _join(align), *rows])
    page = _PAGE.format(**facts, table=table, picture_px=PICTURE_PX, jumps=JUMPS)
    out.with_suffix(".md").write_text(page, encoding="utf-8")
    lines = ",\n".join(json.dumps(result) for result in results)
    told = json.dumps(facts, indent=1).removesuffix("\n}")
    told = f'{told},\n "results": [\n{lines}\n ]\n}}\n'
    out.with_suffix(".json").write_text(told, encoding="utf-8")


def row(result: Mapping[str, Any]) -> str:
    """Return one measurement as a row of the table."""
    known = [form.format(result[key]) for _, key, form in _COLUMNS if key in result]
    missing = [result.get("gave_up", ""), *[""] * len(_COLUMNS)]
    cells = [*known, *missing][: len(_COLUMNS)]
    tries = result.get("tries", 1)
    name = result["candidate"] + (f" (try {tries})" if tries > 1 else "")
    return _join([f"{result['images']:,}", name, *cells])


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
