"""PETA releases whose ``Label.txt`` is anything."""

from pathlib import Path

from PIL import Image

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import spoiled
from peta_viz.peta import peta_summary, read_peta

_SEEDS = (
    b"1 personalMale hairLong\n2 personalFemale upperBodyRed upperBodyRed\n",
    b"\xef\xbb\xbf1_a.png personalMale\r\n2 personalLess30 lowerBodyBlue",
    b"1 personalMale\n1 personalFemale\n3\n",
    "1 h\u00e9\u00e9 \u4e2d\n2 a-b\n".encode(),
    b"1 a\x002 b\x0b\x0c\x1c\x853 c\n" + b"x" * 300 + b" y\n",
)


def label_file(folder: Path) -> Target:
    """Read a release of four images, one of them broken, with this ``Label.txt``."""
    archive = folder / "VIPeR" / "archive"
    archive.mkdir(parents=True)
    for name in ("1_a.png", "1_b.png", "2.png"):
        Image.new("RGB", (4, 8)).save(archive / name)
    (archive / "3.jpg").write_bytes(b"no image")
    file = archive / "Label.txt"

    def run(data: bytes) -> bool:
        file.write_bytes(data)
        imageset = read_peta(folder)
        peta_summary(folder)
        return bool((imageset.images["problem"] != "").any())

    return Target(spoiled(_SEEDS), run, read=bytes, seeds=_SEEDS)
