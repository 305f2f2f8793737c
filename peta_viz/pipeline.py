"""Runs the notebooks in order with papermill, into a run folder that can be carried on."""

import difflib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError

import peta_viz
from peta_viz.curation.reading import decisions_of_run
from peta_viz.errors import InvalidDataError, StageError, in_a_line
from peta_viz.evaluation import read_scores
from peta_viz.files import alone, disk_told, is_file, is_folder, write_text
from peta_viz.parameters import check_parameters
from peta_viz.progress import AS_LINES, EPOCH_LINE
from peta_viz.report import notebook_to_html, read_notes, write_index
from peta_viz.sources import table_paths
from peta_viz.tracking import OnlyLines, Tracker


@dataclass(frozen=True)
class Stage:
    """One notebook of a run.

    Parameters
    ----------
    name
        The notebook's file name without suffix.
    title
        What the report is called.
    outputs
        The tables and folders it writes into the run folder.
    reads_decisions
        Does it read what people decided?

    """

    name: str
    title: str
    outputs: tuple[str, ...]
    reads_decisions: bool = False


_KERNEL_START_S = 600  # Jupyter would give up after a minute, too short on a busy machine
_GONE = "not there"
_SAMPLE = "the sample"
_INPUTS = ("root", "table", "reid", "weights", "truth", "curation")
STAGES = (
    Stage(
        "01_components",
        "Components",
        ("images.parquet", "labels.parquet", "pairs.parquet", "near.parquet", "notes.json"),
    ),
    Stage(
        "02_cleaning",
        "Cleaning",
        (
            *("components.parquet", "cleaning.parquet"),
            *("worst_labels.csv", "worst_labels.html", "label_notes.json"),
        ),
    ),
    Stage("03_training", "Training", ("training.csv", "models/raw", "models/cleaned")),
    Stage(
        "04_experiments",
        "Experiments",
        (
            *("experiments.csv", "differences.csv", "flips.csv", "predictions.parquet"),
            "experiment_notes.json",
        ),
        reads_decisions=True,
    ),
    Stage("05_curation", "Curation", (), reads_decisions=True),
)


class _LocalKernelManager(AsyncKernelManager):
    """Talks to the kernel through files of this user instead of ports of this machine."""

    transport = "ipc"

    async def _async_interrupt_kernel(self) -> None:
        """Let a kernel that is told to end do so; interrupted it says that it was, as an error."""


def run_stages(
    out: str | Path,
    parameters: Mapping[str, Any],
    *,
    fresh: bool = False,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),  # noqa: T201
) -> Path:
    """Execute the notebooks in order and write the reports and the index page.

    Stages that are done, with the same notebook, parameters and input files, are not done again;
    an interrupted run is carried on by calling this again.

    Parameters
    ----------
    out
        The run folder.
    parameters
        Notebook parameters by name; each notebook gets those it has. ``out`` is set here.
    fresh
        Do every stage again.
    say
        Called with a line for a person at the start and end of each stage.

    Returns
    -------
    Path
        ``index.html`` of the run.

    Raises
    ------
    InvalidDataError
        If no notebook has a parameter of that name, or none that could take the value; if the
        folder holds the run of another table or folder, and not `fresh`.
    StageError
        If a cell fails; the message holds its source and the reason. If images or tables that
        the run reads change or vanish in the midst of a stage.
    BusyError
        If another run is at work in the folder.
    DiskError
        If the disk is full or read-only.

    """
    out = Path(out).absolute()
    # Notebooks find the run from where they lie, so that a folder may be moved or copied.
    given = {**parameters, "out": ".."}
    accepted = {stage.name: known_parameters(stage.name) for stage in STAGES}
    _refuse_unknown(given, {name for names in accepted.values() for name in names})
    check_parameters(given)
    _refuse_foreign_notebooks(out)
    if not fresh:
        _refuse_other_source(out, given)
    with disk_told(out), alone(out, "run"):
        (out / "stages").mkdir(exist_ok=True)
        if fresh:
            shutil.rmtree(out / "models", ignore_errors=True)
        stamp = ""
        seconds: dict[str, float] = {}
        anew = False
        for number, stage in enumerate(STAGES):
            own = {name: given[name] for name in accepted[stage.name] if name in given}
            stamp = _stamp(stage, own, stamp)
            if stage.reads_decisions or own.get("cleaned_by") == "people":
                stamp = _with_decisions(stamp, out)
            done = None if fresh else finished_seconds(out, stage, stamp)
            if done is None:
                for later in STAGES[number:]:
                    _marker(out, later).unlink(missing_ok=True)
                say(f"{stage.name} …")
                done, anew = _run_stage(out, stage, own, stamp, given), True
                say(f"{stage.name} done in {done:.0f} s")
            else:
                say(f"{stage.name} was done before, kept")
            seconds[stage.name] = done
        notes = read_notes(out)
        for note in notes:
            say(f"warning: {note}")
        given["out"] = str(out)
        index = write_index(out, parameters=given, seconds=seconds, notes=notes)
        if anew and given.get("track"):
            _track(out, given, index)
        return index


def notebook_folder() -> Path:
    """Return where the notebooks lie: in the installed package, or in the source tree."""
    package = Path(peta_viz.__file__).parent
    installed = package / "notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def known_parameters(stage: str) -> dict[str, Any]:
    """Return the parameters that a notebook declares, with their defaults as source text."""
    found = papermill.inspect_notebook(str(notebook_folder() / f"{stage}.ipynb"))
    return {name: entry["default"] for name, entry in found.items()}


def _refuse_foreign_notebooks(out: Path) -> None:
    """Keep a run from replacing notebooks that somebody works on by executed ones."""
    found = [stage.name for stage in STAGES if (out / "notebooks" / f"{stage.name}.ipynb").exists()]
    if found and not (out / "stages").is_dir():
        raise InvalidDataError(
            f"the run folder {out}",
            ["a run would replace the notebooks/ in it, which no run made: choose another --out"],
        )


def _refuse_other_source(out: Path, given: Mapping[str, Any]) -> None:
    """Keep a run from replacing that of another table or folder."""
    old = str(_read_marker(out, STAGES[0]).get("source", ""))
    # A table or folder that is not there any more was moved, perhaps with the run.
    is_there = old == _SAMPLE or is_file(old) or is_folder(old)
    if old and is_there and old != _source_of(given):
        words = f"it holds the run of {old}: choose another --out, or --fresh to start over in it"
        raise InvalidDataError(f"the run folder {out}", [words])


def _source_of(parameters: Mapping[str, Any]) -> str:
    if parameters.get("truth"):
        return _SAMPLE  # every run folder has its own, also a copy
    return str(parameters.get("table") or parameters.get("root") or "")


def _refuse_unknown(given: Mapping[str, Any], known: set[str]) -> None:
    problems = []
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            problems.append(f"no notebook has a parameter {name!r}{hint}")
    if problems:
        raise InvalidDataError(
            "the parameters", [*problems, f"known are {', '.join(sorted(known))}"]
        )


def _run_stage(
    out: Path,
    stage: Stage,
    parameters: Mapping[str, Any],
    stamp: str,
    given: Mapping[str, Any],
) -> float:
    started = time.monotonic()
    before = _states(given)
    running = out / "notebooks" / f"{stage.name}.running.ipynb"
    finished = out / "notebooks" / f"{stage.name}.ipynb"
    running.parent.mkdir(exist_ok=True)
    _execute(stage, parameters, running)
    _refuse_changed(stage, before, _states(given))
    running.replace(finished)
    notebook_to_html(finished, out / "reports" / f"{stage.name}.html", title=stage.title)
    seconds = time.monotonic() - started
    marker = {
        "stamp": stamp,
        "seconds": seconds,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "peta_viz": peta_viz.__version__,
        "parameters": parameters,
        "source": _source_of(given),
    }
    write_text(_marker(out, stage), json.dumps(marker, indent=1))
    return seconds


def _execute(stage: Stage, parameters: Mapping[str, Any], running: Path) -> None:
    """Execute a notebook into `running`; what goes wrong is told with the way out."""
    os.environ.setdefault("TQDM_MININTERVAL", "0.5")
    # Progress bars redraw a line, which only a terminal can show.
    streams: dict[str, Any] = {"stderr_file": sys.stderr}
    if not sys.stderr.isatty():
        os.environ.update(AS_LINES)
        streams["stderr_file"] = OnlyLines(sys.stderr, EPOCH_LINE)
    if parameters.get("cnvrg"):
        streams["stdout_file"] = OnlyLines(sys.stdout)
    so_far = f"The notebook as far as it got: {running}"
    try:
        papermill.execute_notebook(
            str(notebook_folder() / f"{stage.name}.ipynb"),
            str(running),
            parameters=dict(parameters),
            kernel_name="python3",
            kernel_manager_class=_LocalKernelManager,
            start_timeout=_KERNEL_START_S,
            progress_bar=False,
            cwd=str(running.parent),
            **streams,
        )
    except papermill.PapermillExecutionError as error:
        raise StageError(
            f"{stage.name} failed in this cell:\n\n{_indent(error.source)}\n\n"
            f"{error.ename}: {error.evalue}\n\n{so_far}\n"
            "Mend the cause and give the same command again: finished stages are kept."
        ) from None
    except DeadKernelError:
        raise StageError(
            f"{stage.name} stopped: its kernel died (out of memory, perhaps).\n{so_far}\n"
            "Give the same command again to carry on."
        ) from None
    except RuntimeError as error:  # what Jupyter says of a kernel that does not answer
        raise StageError(
            f"{stage.name} did not begin ({in_a_line(error)}): is the machine busy, or its clock "
            "set? Give the same command again."
        ) from error


def _track(out: Path, parameters: Mapping[str, Any], index: Path) -> None:
    tables = [out / name for stage in STAGES for name in stage.outputs if name.endswith(".csv")]
    pages = [
        out / folder / f"{stage.name}.{suffix}"
        for stage in STAGES
        for folder, suffix in (("notebooks", "ipynb"), ("reports", "html"))
    ]
    scores = read_scores(out / "experiments.csv")
    Tracker(out).record(f"run {out.name}", parameters, scores, [index, *tables, *pages])


def _marker(out: Path, stage: Stage) -> Path:
    return out / "stages" / f"{stage.name}.json"


def _read_marker(out: Path, stage: Stage) -> dict[str, Any]:
    """Return what was noted when a stage was done; what no stage wrote is empty."""
    try:
        marker = json.loads(_marker(out, stage).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return marker if isinstance(marker, dict) else {}


def finished_seconds(out: Path, stage: Stage, stamp: str) -> float | None:
    """Return the seconds a stage took, if it was done with this stamp and its tables are there."""
    marker = _read_marker(out, stage)
    try:
        told, seconds = marker["stamp"], float(marker["seconds"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    there = all((out / name).exists() for name in stage.outputs)
    return seconds if there and told == stamp else None


def _stamp(stage: Stage, parameters: Mapping[str, Any], before: str) -> str:
    digest = hashlib.sha256(f"{peta_viz.__version__}\0{before}".encode())
    digest.update((notebook_folder() / f"{stage.name}.ipynb").read_bytes())
    digest.update(json.dumps(parameters, sort_keys=True, default=str).encode())
    for file in _input_files(parameters):
        digest.update(f"{file}\0{_state(file)}\0".encode())
    return digest.hexdigest()


def _state(file: Path) -> str:
    try:
        stat = file.stat()
    except OSError:
        return _GONE
    return f"{stat.st_size}\0{stat.st_mtime_ns}"


def _states(parameters: Mapping[str, Any]) -> dict[Path, str]:
    # People go on deciding while a run is at work: what it read of that, its stamp says.
    read = {name: value for name, value in parameters.items() if name != "curation"}
    return {file: _state(file) for file in _input_files(read)}


def _refuse_changed(stage: Stage, before: Mapping[Path, str], now: Mapping[Path, str]) -> None:
    """Keep a stage from being done that read what may have gone and come back."""
    changed = [file for file in {**before, **now} if before.get(file) != now.get(file)]
    if changed:
        changed.sort(key=lambda file: now.get(file, _GONE) != _GONE)  # what is gone tells most
        more = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        raise StageError(
            f"{stage.name} stopped: files that it reads changed or vanished meanwhile: "
            f"{changed[0]}{more}.\nGive the same command again when they are as they should be."
        )


def _with_decisions(stamp: str, out: Path) -> str:
    digest = hashlib.sha256(stamp.encode())
    for entry in decisions_of_run(out).entries:
        digest.update(entry.id.encode())
    return digest.hexdigest()


def _input_files(parameters: Mapping[str, Any]) -> Iterator[Path]:
    """Name every file that a stage reads, besides those of the run folder."""
    given = {name: Path(parameters[name]) for name in _INPUTS if parameters.get(name)}
    yield from given.values()
    if "root" in given:
        yield from sorted(given["root"].rglob("*"))
    if "reid" in given:
        yield given["reid"].with_suffix(".bin")
    if "table" in given:
        folder = given["table"].parent
        base = Path(parameters.get("images_root") or folder)
        names = table_paths(str(given["table"]), parameters.get("path_column"))
        yield from (base / name for name in names)


def _indent(source: str) -> str:
    return "\n".join(f"    {line}" for line in source.strip().splitlines())
