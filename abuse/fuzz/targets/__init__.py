"""What is fed with bad input: one module per kind, one function per target."""

from importlib import import_module
from pathlib import Path

from abuse.fuzz.judging import Target

# Each in a module of its own, so that none waits for what only others import.
TARGETS = {
    "label-file": "releases.label_file",
    "frame": "tables.frame",
    "csv": "tables.csv",
    "parquet": "tables.parquet",
    "run-folder": "tables.run_folder",
    "image": "pictures.image",
    "bomb": "pictures.bomb",
    "place": "places.place",
    "gallery": "widgets.gallery",
    "curator": "widgets.curator",
    "matrix": "widgets.matrix",
    "set": "commands.assignments",
    "parameters": "commands.parameters",
    "command": "commands.command",
    "log": "files.log",
    "decisions": "files.decisions",
    "checkpoint": "files.checkpoint",
    "marker": "files.marker",
}
WORDS = {
    "label-file": "`Label.txt`",
    "frame": "`ImageSet.from_frame`: any frame, any arguments",
    "csv": "a table as CSV",
    "parquet": "a table as Parquet",
    "run-folder": "`ImageSet.from_parquet`",
    "image": "image files",
    "bomb": "images of up to 50,000×50,000 pixels",
    "place": "links, pipes, devices, folders and odd names in place of files",
    "gallery": "messages to `Gallery`",
    "curator": "messages to `Curator`",
    "matrix": "messages to `ConfusionMatrix`",
    "set": "`--set name=value`",
    "parameters": "values of the notebooks' parameters",
    "command": "command lines",
    "log": "decision logs",
    "decisions": "tables of decisions and cleanings",
    "checkpoint": "checkpoints",
    "marker": "markers, notes and lists of a run folder",
}
# How many of the random cases each gets, in proportion: the dear ones fewer.
SHARES = {
    "label-file": 2.5,
    "frame": 1.2,
    "csv": 0.7,
    "parquet": 0.7,
    "run-folder": 9,
    "image": 9,
    "bomb": 0.04,
    "place": 2,
    "gallery": 12,
    "curator": 1.5,
    "matrix": 5,
    "set": 50,
    "parameters": 4,
    "command": 0.5,
    "log": 0.35,
    "decisions": 0.35,
    "checkpoint": 0.15,
    "marker": 2,
}


def make(name: str, folder: Path) -> Target:
    """Make a target, with what it needs in a folder."""
    module, function = TARGETS[name].split(".")
    target: Target = getattr(import_module(f"{__name__}.{module}"), function)(folder)
    return target
