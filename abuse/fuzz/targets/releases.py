"""PETA releases whose ``Label.txt`` is anything."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import damaged, mostly, texts
from abuse.fuzz.targets.tables import problems
from peta_viz.peta import AGES, COLOURS, peta_summary, read_peta

_SEEDS = (
    b"1 personalMale hairLong\n2 personalFemale upperBodyRed upperBodyRed\n",
    b"\xef\xbb\xbf1_a.png personalMale\r\n2 personalLess30 lowerBodyBlue",
    b"1 personalMale\n1 personalFemale\n3\n",
    "1 h\u00e9\u00e9 \u4e2d\n2 a-b\n".encode(),
    b"1 a\x002 b\x0b\x0c\x1c\x853 c\n" + b"x" * 300 + b" y\n",
)
_KEYS = ("1", "2", "3", "4", "1_a.png", "2.png", "9", "gone.png")
_LABELS = (
    *("personalMale", "personalFemale", "hairLong", "hairShort", "carryingBackpack", "h\u00e9"),
    *AGES,
    *(f"{part}{colour}" for part in ("upperBody", "lowerBody", "hair") for colour in COLOURS),
)
_ENDS = ("\n", "\r\n", "\r", "\n\n", "\x85", "\x0b", " \n\t")


@st.composite
def _files(draw: DrawFn) -> bytes:
    """Draw rows that are mostly sound and mostly of different keys."""
    keys = draw(st.lists(st.sampled_from(_KEYS), min_size=1, max_size=6, unique=True))
    label = mostly(st.sampled_from(_LABELS), texts, of=80)
    rows = [[key, *draw(st.lists(label, min_size=1, max_size=8))] for key in keys]
    if draw(st.integers(0, 4)) == 0:
        odd = st.lists(mostly(st.sampled_from([*_KEYS, *_LABELS]), texts), max_size=3)
        rows.insert(draw(st.integers(0, len(rows))), draw(odd))
    space = draw(mostly(st.just(" "), st.sampled_from(["\t", "  ", ",", "\xa0"]), of=12))
    end = draw(mostly(st.just("\n"), st.sampled_from(_ENDS), of=4))
    encodings = st.sampled_from(["utf-8-sig", "latin-1", "utf-16"])
    encoding = draw(mostly(st.just("utf-8"), encodings, of=12))
    return end.join(space.join(row) for row in rows).encode(encoding, "replace")


def label_file(folder: Path) -> Target:
    """Read a release of five images, one of them broken half the time, with this ``Label.txt``."""
    archive = folder / "VIPeR" / "archive"
    archive.mkdir(parents=True)
    for name in ("1_a.png", "1_b.png", "2.png", "3.png"):
        Image.new("RGB", (4, 8)).save(archive / name)
    file, broken = archive / "Label.txt", archive / "4.jpg"

    def run(data: bytes) -> Sequence[str]:
        file.write_bytes(data)
        if len(data) % 2:
            broken.write_bytes(b"no image")
        else:
            broken.unlink(missing_ok=True)
        imageset = read_peta(folder)
        peta_summary(folder)
        return problems(imageset)

    return Target(mostly(_files(), damaged(_files())), run, read=bytes, seeds=_SEEDS)
