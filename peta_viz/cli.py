"""The command ``peta-viz``."""

import os
import re
import shlex
import shutil
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from peta_viz.errors import InvalidDataError, PetaVizError, reworded
from peta_viz.rules import shown
from peta_viz.words import counted

app = typer.Typer(
    help="See where the labels of near-identical images contradict each other, and clean them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_DIGITS = 10  # of a seed
_OPTIONS = {
    "path": "--path-column",
    "labels": "--label-columns",
    "classes": "--class-columns",
    "person_id": "--person-column",
    "images_root": "--images-root",
    "root": "--images-root",
    "folder": "--out",
}
_SOURCE = (
    *("root", "table", "path_column", "label_columns", "class_columns", "person_column"),
    *("images_root", "missing"),
)
_INPUT, _CLUSTER, _CLEAN, _TRAIN = "Input", "Clustering", "Cleaning", "Training"


@app.command()
def run(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A table (CSV or Parquet, one row per image), a PETA release, or a folder with a "
            "folder of images per class. Default: the sample, which is drawn."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The run folder: tables, notebooks, reports. Default: runs/ and the name of the "
            "table or folder, without either runs/sample."
        ),
    ] = None,
    path_column: Annotated[
        str | None,
        typer.Option(
            help="The table's column of image files. Default: guessed.", rich_help_panel=_INPUT
        ),
    ] = None,
    label_columns: Annotated[
        str,
        typer.Option(
            help="The table's yes/no columns, separated by commas. Default: guessed, if no class "
            "columns are named either.",
            rich_help_panel=_INPUT,
        ),
    ] = "",
    class_columns: Annotated[
        str,
        typer.Option(
            help="The table's columns of class names, separated by commas. Default: guessed, if no "
            "label columns are named either.",
            rich_help_panel=_INPUT,
        ),
    ] = "",
    person_column: Annotated[
        str | None,
        typer.Option(
            help="The table's column that says who or what an image shows.", rich_help_panel=_INPUT
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            help="What an empty cell among the table's labels means: error or unknown.",
            rich_help_panel=_INPUT,
        ),
    ] = "error",
    images_root: Annotated[
        Path | None,
        typer.Option(
            help="Where the table's paths start. Default: its folder.", rich_help_panel=_INPUT
        ),
    ] = None,
    reid: Annotated[
        Path | None,
        typer.Option(
            help="A re-identification network, .xml or .onnx. Default: fastdup's own features.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Images more similar than this are linked. Default: 0.96, with --reid 0.70.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(
            help="How many neighbours of each image are looked at. Default: 2, with --reid 20.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            help="fastdup, or with --reid: exact, approximate, auto (exact up to 200,000 images).",
            rich_help_panel=_CLUSTER,
        ),
    ] = "fastdup",
    engine: Annotated[
        str,
        typer.Option(help="local, or ray (needs --reid): many machines.", rich_help_panel=_CLUSTER),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="The address of a Ray cluster. Default: Ray is started on this machine alone.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    clean: Annotated[
        list[str] | None,
        typer.Option(
            help="A strategy, such as component_pruning:measure=std,percentile=80, "
            "label_pruning:ratio=0.5, label_intersection, image_pruning:ratio=0.3. Give it again "
            "to add another. Default: component_pruning.",
            rich_help_panel=_CLEAN,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="imagenet (fetched over the network), or the file of a MobileNetV2 state dict. "
            "Default: none, training starts from nothing.",
            rich_help_panel=_TRAIN,
        ),
    ] = None,
    targets: Annotated[
        str,
        typer.Option(
            help="What a component is said to be: union, majority or strict.",
            rich_help_panel=_TRAIN,
        ),
    ] = "majority",
    epochs: Annotated[
        int | None,
        typer.Option(help="Default: sized to the data, 6 to 40.", rich_help_panel=_TRAIN),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help="Train a model of each, separated by commas: more than one tells what is chance.",
            rich_help_panel=_TRAIN,
        ),
    ] = "0",
    track: Annotated[
        bool | None,
        typer.Option(
            "--track/--no-track",
            help="Log to mlflow.db in the run folder. Default: where MLflow is installed.",
            rich_help_panel=_TRAIN,
        ),
    ] = None,
    cnvrg: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--cnvrg", help="Print what a cnvrg agent reads.", rich_help_panel=_TRAIN),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the split.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other notebook parameter, as name=value. Give it again for more."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do finished stages again.")] = False,  # noqa: FBT002
) -> None:
    """Run the whole line: components, cleaning, training, experiments, report.

    Finished stages are kept: give the same command again to carry on after an interruption.
    """
    # Help should not wait for papermill.
    from peta_viz.files import name_of, refuse_file  # noqa: PLC0415

    out = Path("runs", name_of(source) if source else "sample") if out is None else out
    is_table = source is not None and not source.is_dir()
    parameters: dict[str, Any] = {
        "root": None if is_table else _absolute(source),
        "table": _absolute(source) if is_table else None,
        "path_column": path_column,
        "label_columns": _names(label_columns),
        "class_columns": _names(class_columns),
        "person_column": person_column,
        "missing": missing,
        "images_root": _absolute(images_root),
        "reid": _absolute(reid),
        "threshold": threshold,
        "neighbours": neighbours,
        "backend": backend,
        "engine": engine,
        "ray_address": ray_address,
        "strategies": clean or ["component_pruning"],
        "weights": weights if weights in (None, "imagenet") else _absolute(Path(weights)),
        "targets": targets,
        "epochs": epochs,
        "seeds": _integers(seeds),
        "track": find_spec("mlflow") is not None if track is None else track,
        "cnvrg": cnvrg,
        "seed": seed,
        **read_assignments(set_ or []),
    }
    _check_engine(parameters)
    from peta_viz.parameters import check_parameters  # noqa: PLC0415
    from peta_viz.pipeline import run_stages  # noqa: PLC0415
    from peta_viz.sources import check_images  # noqa: PLC0415

    refuse_file(out, "--out")
    with reworded(_in_options):
        check_parameters(parameters)
    if parameters["root"] is None and parameters["table"] is None:
        from peta_viz.sample import TRUTH, is_drawn, make_sample  # noqa: PLC0415

        folder = out.absolute() / "sample"
        what = "taking the sample that is there" if is_drawn(folder) else "drawing the sample"
        typer.echo(f"no table and no folder: {what}", err=True)
        parameters["root"] = str(make_sample(folder))
        parameters["truth"] = str(folder / TRUTH)
    with reworded(_in_options):
        parameters |= _with_columns(parameters)
        check_images(**{name: parameters[name] for name in _SOURCE})
    try:
        index = run_stages(out, parameters, fresh=fresh)
    except KeyboardInterrupt:
        typer.echo("interrupted: the same command carries on from here", err=True)
        raise
    typer.echo(f"report: {index}")


@app.command()
def predict(
    checkpoint: Annotated[
        Path, typer.Argument(help="A trained model, such as models/raw/seed-0/best.pt.")
    ],
    images: Annotated[
        Path, typer.Argument(help="A folder of images, or a table of their paths, CSV or Parquet.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write, .csv or .parquet.")] = Path(
        "predictions.csv"
    ),
    path_column: Annotated[
        str | None, typer.Option(help="The table's column of image files. Default: guessed.")
    ] = None,
    component_column: Annotated[
        str | None,
        typer.Option(help="The table's column of what shows the same thing, to be seen together."),
    ] = None,
    images_root: Annotated[
        Path | None, typer.Option(help="Where the table's paths start. Default: its folder.")
    ] = None,
) -> None:
    """Apply a trained model to any images, and write what it says of each.

    Of labels that are yes or no that is a probability (yes from 0.5 on), of others the class too.
    """
    from peta_viz.evaluation import ALIKE  # noqa: PLC0415
    from peta_viz.files import atomic  # noqa: PLC0415
    from peta_viz.sources import find_images  # noqa: PLC0415
    from peta_viz.training.predict import predict_files  # noqa: PLC0415

    if out.suffix not in (".csv", ".parquet"):
        raise InvalidDataError("--out", [f"expected a .csv or .parquet file, but got {out}"])
    found = find_images(
        images, path_column=path_column, component_column=component_column, root=images_root
    )
    frame = predict_files(checkpoint, found.paths, components=found.components)
    frame["path"] = found.names
    with atomic(out.absolute()) as partial:
        if out.suffix == ".csv":
            frame.to_csv(partial, index=False)
        else:
            frame.to_parquet(partial, index=False)
    lost = int((frame["problem"] != "").sum())
    typer.echo(
        f"{counted(len(frame) - lost, 'image')} predicted, {lost:,} could not be decoded: {out}"
    )
    if frame.select_dtypes("float32").std().max() < ALIKE:
        typer.echo("the model answers all images alike: it has learned nothing, train it longer")


@app.command()
def audit(
    source: Annotated[
        Path,
        typer.Argument(
            help="A table (CSV or Parquet), a folder with a folder of images per class, a PETA "
            "release, or the folder of a run."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write. Default: audit/ and the table's name, or the run folder."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many labels are listed at most.")] = 1_000,
    shown: Annotated[
        int, typer.Option(min=0, help="How many of them are shown with pictures.")
    ] = 100,
    path_column: Annotated[
        str | None, typer.Option(help="The table's column of image files. Default: guessed.")
    ] = None,
    label_columns: Annotated[
        str,
        typer.Option(
            help="The table's yes/no columns, separated by commas. Default: guessed, if no class "
            "columns are named either."
        ),
    ] = "",
    class_columns: Annotated[
        str,
        typer.Option(
            help="The table's columns of class names, separated by commas. Default: guessed, if no "
            "label columns are named either."
        ),
    ] = "",
    images_root: Annotated[
        Path | None, typer.Option(help="Where the table's paths start. Default: its folder.")
    ] = None,
    reid: Annotated[
        Path | None, typer.Option(help="A re-identification network, .xml or .onnx.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Images more similar than this are grouped: raise it where different things are "
            "joined, lower it where the same are apart. Default: 0.96, with --reid 0.70."
        ),
    ] = None,
) -> None:
    """List the labels that are most likely wrong, worst first, and show the first ones.

    Listed are those that are wrong with a probability (p_wrong) of 10 % or more. Empty cells of a
    table are taken for labels that nobody gave.
    """
    from peta_viz.components import MeltedWarning, check_threshold  # noqa: PLC0415
    from peta_viz.files import refuse_file  # noqa: PLC0415
    from peta_viz.parquet import read_frame  # noqa: PLC0415
    from peta_viz.quality.audit import (  # noqa: PLC0415
        columns_in,
        components_told,
        default_folder,
        found_words,
        group,
        grouped_words,
        is_guessed,
        read_source,
        told,
        told_of_decisions,
        unreadable,
    )
    from peta_viz.quality.pages import write_worst  # noqa: PLC0415
    from peta_viz.quality.reading import WORST_FILE, WORST_PAGE, quality_of_run  # noqa: PLC0415

    folder = default_folder(source) if out is None else out
    refuse_file(folder, "--out")
    labels, classes = _names(label_columns) or None, _names(class_columns) or None
    lines: list[str] = []
    with reworded(_in_options):
        if threshold is not None:
            check_threshold(threshold)
        imageset = read_source(
            source,
            path=path_column,
            labels=labels,
            classes=classes,
            root=images_root,
        )
        if imageset is None:
            quality = quality_of_run(source)
            typer.echo(components_told(quality))
        else:
            lines = told(imageset)
            if is_guessed(source, labels, classes):
                lines += _guessed(*columns_in(imageset)).split("\n")
            typer.echo("\n".join(lines), err=True)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", MeltedWarning)
                used = group(imageset, folder, reid=reid, threshold=threshold)
            quality = quality_of_run(folder)
            lost = unreadable(quality.imageset)
            typer.echo("".join(f"{line}\n" for line in lost), err=True, nl=False)
            melted = [str(one.message) for one in caught if one.category is MeltedWarning]
            told_of = [words.replace("threshold=", "--threshold ") for words in melted]
            told_of = [f"warning: {words}" for words in told_of]
            pairs = read_frame(folder / "pairs.parquet")
            told_of += grouped_words(quality, pairs, used, "--threshold")
            typer.echo("\n".join(told_of))
            lines += [*lost, *told_of]
    worst = write_worst(quality, folder, count=count, shown=shown, told=lines)
    typer.echo("\n".join([*found_words(quality, worst), *told_of_decisions(folder)]))
    typer.echo(f"list: {folder / WORST_FILE}")
    typer.echo(f"page: {folder / WORST_PAGE}")


@app.command()
def sample(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where to write it. Default: data/sample, or data/mugs."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="pedestrians (400, in the PETA layout), or mugs (some 250, with a table)."
        ),
    ] = "pedestrians",
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 0,
) -> None:
    """Draw a sample with planted label errors, and print where it is."""
    from peta_viz.mugs import make_mugs  # noqa: PLC0415
    from peta_viz.sample import make_sample  # noqa: PLC0415

    if kind == "mugs":
        typer.echo(make_mugs(folder or Path("data/mugs"), seed=seed))
    elif kind == "pedestrians":
        typer.echo(make_sample(folder or Path("data/sample"), seed=seed))
    else:
        raise InvalidDataError("--kind", [f"expected pedestrians or mugs, but got {kind!r}"])


@app.command()
def network(
    file: Annotated[Path, typer.Argument(help="Where to write it, .xml; a .bin comes beside it.")],
    weights: Annotated[
        str,
        typer.Option(
            help="imagenet (fetched over the network), or the file of a MobileNetV2 state dict."
        ),
    ] = "imagenet",
    height: Annotated[int, typer.Option(help="What images are shrunk to, pixels high.")] = 160,
    width: Annotated[int, typer.Option(help="And wide: the shape that most images have.")] = 80,
) -> None:
    """Write MobileNetV2 as a network for --reid, for things that are no persons.

    Its components need a higher threshold than those of a re-identification network: 0.87 fits
    PETA, 0.96 the drawn mugs. Where it is far too low, a better one is named.
    """
    from peta_viz.networks import save_mobilenet  # noqa: PLC0415

    typer.echo(save_mobilenet(file, weights, height_px=height, width_px=width))


@app.command()
def lab(
    folder: Annotated[Path, typer.Argument(help="Where to work.")] = Path(),
    port: Annotated[int, typer.Option(help="The port on this machine.")] = 8888,
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,  # noqa: FBT002
) -> None:
    """Open the notebooks in JupyterLab; those that are not in FOLDER/notebooks are copied there.

    The sample that they take by default is drawn into FOLDER/data/sample.

    The server listens on this machine only, asks nobody for news or updates, and needs the token
    that it prints.
    """
    from peta_viz.pipeline import notebook_folder  # noqa: PLC0415
    from peta_viz.sample import make_sample  # noqa: PLC0415

    notebooks = folder.absolute() / "notebooks"
    notebooks.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(notebook_folder().glob("*.ipynb")):
        if not (notebooks / notebook.name).exists():
            shutil.copyfile(notebook, notebooks / notebook.name)
    make_sample(folder / "data" / "sample")
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder.absolute()}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.open_browser={browser}",
        "--LabApp.default_url=/lab/tree/notebooks/tutorial.ipynb",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    # Lab asks whether it may fetch news unless its settings say no.
    settings = [str(Path(__file__).parent / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # as in a container, where there is no other
        command.append("--ServerApp.allow_root=True")
    os.execv(sys.executable, command)  # noqa: S606 - the arguments are ours


@app.command()
def doctor(
    folder: Annotated[Path, typer.Argument(help="Where run folders will be.")] = Path(),
) -> None:
    """Say what is wrong with the installation, and how to mend it."""
    from peta_viz.doctor import examine  # noqa: PLC0415

    signs = {"good": "✓", "absent": "–", "broken": "✗"}
    broken = 0
    for finding in examine(folder):
        typer.echo(f"{signs[finding.state]} {finding.part}: {finding.words}")
        if finding.remedy:
            typer.echo(f"    {finding.remedy}")
        broken += finding.state == "broken"
    if broken:
        typer.echo(f"{broken} to mend", err=True)
        raise typer.Exit(1)
    typer.echo("all is well")


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,  # noqa: FBT002
) -> None:
    if version:
        from peta_viz import __version__  # noqa: PLC0415

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; our own errors are printed as they are, without a traceback."""
    from peta_viz.files import disk_told  # noqa: PLC0415

    try:
        with disk_told(Path.cwd()):
            app()
    except PetaVizError as error:
        typer.echo(f"peta-viz: {error}", err=True)
        sys.exit(1)


def _in_options(problem: str) -> str:
    """Say what is wrong with a source in the names of the command's options."""
    problem = re.sub(r"^strategies\b", "--clean", problem)
    problem = re.sub(
        r"^(missing|threshold|neighbours|backend|targets|epochs|seeds) must", r"--\1 must", problem
    )
    problem = re.sub(r"\b(\w+)=…", lambda found: _OPTIONS.get(found[1], found[0]), problem)
    return problem.replace('missing="unknown"', "--missing unknown")


def _with_columns(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what the columns of the run's table are; say so where they are guessed."""
    from peta_viz.sources import column_names, columns_of  # noqa: PLC0415

    if parameters["table"] is None:
        return {}
    names = ("path_column", "label_columns", "class_columns")
    path, labels, classes = (parameters[name] for name in names)
    is_guessed = not labels and not classes
    path, labels, classes = columns_of(
        parameters["table"], path, labels, classes, others=[parameters["person_column"]]
    )
    if is_guessed:
        taken = {path, *labels, *classes, parameters["person_column"]}
        others = [name for name in column_names(Path(parameters["table"])) if name not in taken]
        typer.echo(_guessed(labels, classes, others), err=True)
    return dict(zip(names, (path, list(labels), list(classes)), strict=True))


def _guessed(labels: Sequence[str], classes: Sequence[str], others: Sequence[str]) -> str:
    """Say what was guessed, in the options of the command."""
    from peta_viz.columns import guessed_words  # noqa: PLC0415

    options = {"--label-columns": labels, "--class-columns": classes}
    given = [f"{name} {shlex.quote(','.join(named))}" for name, named in options.items() if named]
    return guessed_words(" ".join(given), others)


def _check_engine(parameters: dict[str, Any]) -> None:
    engine = parameters["engine"]
    problems = []
    if engine not in ("local", "ray"):
        problems.append(f"expected local or ray, but got {engine!r}")
    if engine == "ray" and parameters["reid"] is None:
        problems.append(
            "ray needs --reid NETWORK: fastdup's own features are computed on one machine only; "
            "docs/components.md says where to get a network"
        )
    if engine != "ray" and parameters["ray_address"] is not None:
        problems.append("--ray-address goes with --engine ray")
    if problems:
        raise InvalidDataError("--engine", problems)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _integers(text: str) -> list[int]:
    numbers = _names(text)
    if not numbers or not all(number.isdecimal() and len(number) <= _DIGITS for number in numbers):
        raise InvalidDataError("--seeds", [f"expected such as 0,1,2, but got {shown(text)}"])
    return sorted({int(number) for number in numbers})


def read_assignments(texts: list[str]) -> dict[str, Any]:
    """Read ``name=value``, a value being a literal of Python or else text."""
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidDataError("--set", [f"expected name=value, but got {text!r}"])
        values[name] = _literal(value)
    return values


def _literal(text: str) -> Any:
    import ast  # noqa: PLC0415

    try:
        return ast.literal_eval(text)
    # Of these the last three: a list as a key, and brackets or signs without end.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
