"""Tracking: settings and results, in MLflow's file of a run folder or as cnvrg's lines."""

import importlib.util
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

import pandas as pd

from peta_viz.errors import InvalidDataError, MissingPartError, in_a_line
from peta_viz.evaluation import choose
from peta_viz.files import atomic

if TYPE_CHECKING:
    from peta_viz.training.config import TrainConfig
    from peta_viz.training.loop import Epoch, Hook

DATABASE, ARTEFACTS = "mlflow.db", "mlartifacts"
_EXPERIMENT = "peta-viz"
_TAG = "peta_viz.training"
_LONGEST = 6_000  # characters of a parameter that MLflow keeps
_NOT_A_NAME = re.compile(r"[^\w\- ]")
_CNVRG = re.compile(r"cnvrg_(tag|linechart)_")


def training_hooks(
    folder: str | Path, config: "TrainConfig", *, track: bool = False, cnvrg: bool = False
) -> "Callable[[TrainConfig], Sequence[Hook]]":
    """Return what `peta_viz.train_models` takes as its hooks.

    Parameters
    ----------
    folder
        The run folder.
    config
        The settings; each training has its own seed.
    track
        Log to MLflow.
    cnvrg
        Print cnvrg's lines.

    """
    tracker = Tracker(folder) if track else None
    lines = CnvrgLines() if cnvrg else None
    if lines:
        for key, value in asdict(config).items():
            if key != "seed":
                lines.tag(key, value)

    def hooks(own: "TrainConfig") -> "list[Hook]":
        found: list[Hook] = [tracker.hook(own)] if tracker else []
        return [*found, lines.hook] if lines else found

    return hooks


def tracking_uri(folder: str | Path) -> str:
    """Return the address of the SQLite file in a run folder, as MLflow takes it."""
    return f"sqlite:///{Path(folder).absolute() / DATABASE}"


class Tracker:
    """Writes into MLflow's SQLite file in a run folder; nothing leaves the machine.

    Parameters
    ----------
    folder
        The run folder: ``mlflow.db`` and ``mlartifacts/`` in it.

    Raises
    ------
    MissingPartError
        If MLflow is not installed.
    InvalidDataError
        If the folder's path has a character that the address of a database cannot hold, or the file
        cannot be used, then or later: it is none of MLflow's, or the disk is full.

    """

    def __init__(self, folder: str | Path) -> None:
        # Before the import: MLflow reports its use to its maker otherwise.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it tells how it makes its tables
        if importlib.util.find_spec("mlflow") is None:
            raise MissingPartError(
                "MLflow is not installed: pip install 'peta-viz[track]', or run with --no-track"
            )
        if set("?#%") & set(str(Path(folder).absolute())):
            raise InvalidDataError(
                f"the run folder {folder}",
                ["MLflow cannot keep its file below a path with ?, # or %: run with --no-track"],
            )
        from mlflow import MlflowClient  # noqa: PLC0415 - it takes seconds to load

        self._database = Path(folder) / DATABASE
        with self._told():
            self._open(MlflowClient)

    def _open(self, client: Any) -> None:
        if not self._database.exists():
            # MLflow makes its tables one by one: killed in the midst, it could not use them.
            with TemporaryDirectory() as own, atomic(self._database) as partial:
                made = Path(own) / DATABASE
                client(f"sqlite:///{made}").search_experiments()
                shutil.copyfile(made, partial)
        folder = self._database.parent.absolute()
        self._client: Any = client(tracking_uri(folder))
        location = (folder / ARTEFACTS).as_uri()
        found = self._client.get_experiment_by_name(_EXPERIMENT)
        if found and found.artifact_location != location:
            # The folder was moved, or comes from somebody: files are not written where it was.
            number = found.experiment_id
            self._client.rename_experiment(number, f"{_EXPERIMENT}, before it was moved ({number})")
            found = None
        self._experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(_EXPERIMENT, artifact_location=location)
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say that MLflow's file cannot be used, whatever MLflow or SQLAlchemy raise."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            words = (
                f"MLflow cannot use it ({in_a_line(error)}): mend that, or move the file away, or "
                "use --no-track"
            )
            raise InvalidDataError(str(self._database), [words]) from error

    def hook(self, config: "TrainConfig") -> "Hook":
        """Return a hook that logs the settings and, after each epoch, the metrics of a training.

        A training that is carried on goes on in the run in which it began.
        """

        @self._told()
        def log(epoch: "Epoch") -> None:
            tags = {_TAG: f"{epoch.name} {epoch.stamp}"}
            run = self._resumed(tags[_TAG]) or self._start(epoch.name, tags, asdict(config))
            metrics = {
                "loss": epoch.loss,
                "images_per_s": epoch.images_per_s,
                "validation_f1": epoch.validation_f1,
                **_scores(epoch.table),
            }
            self._log_metrics(run, metrics, step=epoch.number)
            if epoch.number == epoch.epochs:
                self._client.set_terminated(run)

        return log

    def record(
        self, name: str, parameters: Mapping[str, Any], scores: pd.DataFrame, files: Sequence[Path]
    ) -> str:
        """Log a whole run: parameters, the headline of every experiment, and files.

        Parameters
        ----------
        name
            What the run is called.
        parameters
            What it was told.
        scores
            As `peta_viz.intervals.score_experiments` returns.
        files
            Tables, executed notebooks and pages, stored as artefacts.

        Returns
        -------
        str
            MLflow's id of the run.

        """
        with self._told():
            return self._record(name, parameters, scores, files)

    def _record(
        self, name: str, parameters: Mapping[str, Any], scores: pd.DataFrame, files: Sequence[Path]
    ) -> str:
        run = self._start(name, {}, parameters)
        whole = scores[(scores["image_size"] == "all") & (scores["source"] == "all")]
        whole = whole[whole["metric"] == "macro_f1"]
        parts = zip(whole["experiment"], whole["component_size"], whole["head"], strict=True)
        names = [_path(*part, "macro_f1") for part in parts]
        self._log_metrics(run, dict(zip(names, whole["value"], strict=True)))
        for file in files:
            self._client.log_artifact(run, str(file), file.parent.name)
        self._client.set_terminated(run)
        return run

    def _start(self, name: str, tags: Mapping[str, str], settings: Mapping[str, Any]) -> str:
        run = self._client.create_run(self._experiment, run_name=name, tags=dict(tags))
        for key, value in settings.items():
            self._client.log_param(run.info.run_id, _path(key), str(value)[:_LONGEST])
        return str(run.info.run_id)

    def _resumed(self, tag: str) -> str:
        found = self._client.search_runs([self._experiment], "attributes.status = 'RUNNING'")
        return next((str(run.info.run_id) for run in found if run.data.tags.get(_TAG) == tag), "")

    def _log_metrics(self, run: str, metrics: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric  # noqa: PLC0415 - loaded by now

        now = time.time_ns() // 1_000_000
        there = [
            Metric(key, float(value), now, step)
            for key, value in metrics.items()
            if not pd.isna(value)
        ]
        for start in range(0, len(there), 500):
            self._client.log_batch(run, metrics=there[start : start + 500])


class CnvrgLines:
    """Prints what a cnvrg agent reads: tags and points of line charts, one a line.

    Parameters
    ----------
    stream
        Where to; standard output by default.

    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def tag(self, key: str, value: object) -> None:
        """Print ``cnvrg_tag_KEY: VALUE``."""
        self._line(f"cnvrg_tag_{_key(key)}: {_one_line(value)}")

    def point(self, key: str, value: float, group: str = "") -> None:
        """Print ``cnvrg_linechart_KEY group: 'G' value: V``, without a group if it is empty."""
        words = f" group: '{_one_line(group).replace(chr(39), '’')}'" if group else ""
        self._line(f"cnvrg_linechart_{_key(key)}{words} value: {value:.6g}")

    def hook(self, epoch: "Epoch") -> None:
        """Print the points of an epoch."""
        self.point("loss", epoch.loss, epoch.name)
        self.point("validation_f1", epoch.validation_f1, epoch.name)
        for key, value in _scores(epoch.table).items():
            if not pd.isna(value):
                self.point(key, value, epoch.name)

    def scores(self, scores: pd.DataFrame) -> None:
        """Print the headline of every experiment as tags."""
        chosen = choose(scores).dropna(subset="value")
        names = chosen["experiment"] + "_" + chosen["head"] + "_macro_f1"
        for name, value in zip(names, chosen["value"], strict=True):
            self.tag(name, f"{value:.4f}")

    def _line(self, line: str) -> None:
        print(line, file=self._stream or sys.stdout, flush=True)


def without_cnvrg(text: str) -> str:
    """Return a text without the lines that `CnvrgLines` prints."""
    return "".join(line for line in text.splitlines(keepends=True) if not _CNVRG.match(line))


class OnlyLines:
    """A stream that passes on lines that begin as a pattern says, and swallows the rest.

    Parameters
    ----------
    stream
        Where to.
    pattern
        What they begin with; by default what `CnvrgLines` prints.

    """

    def __init__(self, stream: TextIO, pattern: re.Pattern[str] = _CNVRG) -> None:
        self._stream, self._pattern = stream, pattern

    def write(self, text: str) -> int:
        """Pass on the lines that fit."""
        for line in text.splitlines():
            if self._pattern.match(line):
                self._stream.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        """Flush what was passed on."""
        self._stream.flush()


def _scores(table: pd.DataFrame) -> dict[str, float]:
    """Return macro F1 of every head over components of all sizes."""
    own = table[table["component_size"] == "all"]
    pairs = zip(own["head"], own["macro_f1"], strict=True)
    return {_path("macro_f1", head): f1 for head, f1 in pairs}


def _path(*parts: str) -> str:
    """Join parts to a name that MLflow takes, which is a path to it."""
    named = [_NOT_A_NAME.sub("_", part.replace("′", " prime")) for part in parts]
    return "/".join(name if name.strip() else "_" for name in named)


def _key(text: str) -> str:
    return re.sub(r"[\s:]+", "_", text)


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
