"""What the command takes: assignments, values of parameters, whole command lines."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, numbers, texts
from abuse.fuzz.targets.small import small_pairs, small_predictions, small_set
from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.cleaning import clean
from peta_viz.cli import app, read_assignments
from peta_viz.components import default_threshold, link
from peta_viz.curation.queues import draw_components, make_queue, strata_of
from peta_viz.errors import PetaVizError
from peta_viz.parameters import PARAMETERS, check_parameters
from peta_viz.pruning import STRATEGIES, parse_strategy
from peta_viz.splitting import split
from peta_viz.training.config import TrainConfig

_LIKELY: dict[str, SearchStrategy[Any]] = {
    "threshold": st.floats(-0.1, 1.1),
    "leak_margin": st.floats(-0.1, 1.1),
    "second_opinion": st.floats(-0.1, 1.1),
    "backend": st.sampled_from(["fastdup", "exact", "approximate", "auto"]),
    "missing": st.sampled_from(["error", "unknown"]),
    "engine": st.sampled_from(["local", "ray"]),
    "targets": st.sampled_from(["union", "majority", "strict"]),
    "cleaned_by": st.sampled_from(["strategies", "people"]),
    "by": st.sampled_from(["influence", "flips", "similarity", "size", "std"]),
    "sides": st.lists(st.sampled_from(["train", "validation", "test"]), max_size=3),
    "flag_measures": st.lists(st.sampled_from(["std", "disagreement", "variance"]), max_size=3),
    "flag_percentiles": st.lists(st.integers(0, 100) | st.floats(0, 100), max_size=3),
    "seeds": st.lists(st.integers(0, 9), max_size=3),
}
_OPTIONS = ("ratio", "impute", "min_size", "measure", "percentile", "absolute", "over", "certainty")
_RULES = st.lists(
    st.builds(
        lambda name, options: f"{name}:{','.join(f'{o}={v}' for o, v in options)}",
        st.sampled_from([*STRATEGIES, "odd"]),
        st.lists(
            st.tuples(
                st.sampled_from(_OPTIONS),
                st.sampled_from(["0.3", "80", "yes", "std", "all", "nan", "-1", "1e999"])
                | numbers.map(str)
                | texts,
            ),
            max_size=2,
        ),
    )
    | texts,
    max_size=2,
)


def assignments(_: Path) -> Target:
    """Read ``--set name=value`` and check what it says."""
    values = st.one_of(
        anything.map(repr),
        texts,
        st.sampled_from(
            ["(" * 300, "-" * 50_000 + "1", "{[]: 1}", "9" * 6_000, "1e999", "b'a'", "[" * 99]
        ),
        st.lists(st.sampled_from(list("()[]{},:'\"0189eE.-+*jnaN\\x# ")), max_size=20).map("".join),
    )
    names = st.sampled_from(sorted(PARAMETERS)) | texts
    cases = st.lists(st.builds("{}={}".format, names, values) | texts, max_size=3)

    def run(case: list[str]) -> bool:
        check_parameters({k: v for k, v in read_assignments(case).items() if k in PARAMETERS})
        return False

    return Target(cases, run)


def parameters(folder: Path) -> Target:
    """Check values of parameters, and use those that pass as the notebooks do."""
    imageset = small_set(folder)
    pairs, predictions = small_pairs(imageset), small_predictions(imageset)
    components = measure_components(imageset)
    wide = {
        name: numbers | anything | texts | st.lists(numbers | texts, max_size=3)
        for name in PARAMETERS
    }
    likely = {name: _LIKELY.get(name, st.integers(0, 200) | numbers) for name in PARAMETERS}
    likely["strategies"] = _RULES
    one = st.sampled_from(sorted(PARAMETERS)).flatmap(
        lambda name: st.tuples(st.just(name), likely[name] | wide[name])
    )
    cases = st.lists(one, min_size=1, max_size=3).map(dict)

    def run(given: dict[str, Any]) -> bool:
        check_parameters(given)
        _use(given)
        return False

    def _use(given: dict[str, Any]) -> None:
        threshold = given.get("threshold")
        threshold = default_threshold("reid") if threshold is None else threshold
        margin = given.get("leak_margin")
        linked = link(imageset, pairs, threshold)
        apart = threshold - ((1 - threshold) / 6 if margin is None else margin)
        split(linked, near=pairs[pairs["similarity"] > apart], seed=given.get("seed", 0))
        for measure in given.get("flag_measures", ["std"]):
            for percentile in given.get("flag_percentiles", [80]):
                flag_components(components, Flag(measure, percentile=percentile))
        clean(imageset, [parse_strategy(text) for text in given.get("strategies", [])])
        TrainConfig(
            epochs=given.get("epochs") or 6,
            learning_rate=given.get("learning_rate") or 0.001,
            **{n: given[n] for n in _TRAINED if n in given},
        )
        some: dict[str, Any] = {"sides": given.get("sides", ())}
        make_queue(
            imageset,
            components,
            by=given.get("by", "size"),
            predictions=predictions,
            pairs=pairs,
            **some,
        )
        if given.get("blind"):
            strata = strata_of(imageset, components, **some)
            draw_components(strata, given["blind"], seed=given.get("seed", 0))

    return Target(cases, run)


_TRAINED = (
    *("height_px", "width_px", "images_per_group", "batch_size", "stem", "targets", "loss"),
    *("class_weights", "tune_thresholds", "weights", "min_component_size"),
)


def command(folder: Path) -> Target:
    """Give command lines; a run that would begin finds that another is at work in its folder."""
    # What the commands load when they are called: not to be timed.
    import peta_viz.pipeline  # noqa: PLC0415
    import peta_viz.quality.pages  # noqa: PLC0415
    import peta_viz.training.predict  # noqa: F401, PLC0415

    busy = folder / "busy"
    busy.mkdir()
    lock = FileLock(busy / ".lock")
    lock.acquire()
    (folder / "table.csv").write_text("path,a,kind\n1.png,1,x\n2.png,0,y\n", encoding="utf-8")
    paths = st.sampled_from(
        [str(folder), str(folder / "table.csv"), str(folder / "gone"), "", "/dev/null", str(busy)]
    )
    values = st.one_of(
        numbers.map(str), texts, paths, st.sampled_from(["exact", "ray", "nan", "-1", "0,1"])
    )
    options = st.sampled_from(
        ["--root", "--table", "--path-column", "--label-columns", "--class-columns", "--missing",
         "--person-column", "--images-root", "--reid", "--threshold", "--neighbours", "--backend",
         "--engine", "--ray-address", "--clean", "--weights", "--targets", "--epochs", "--seeds",
         "--seed", "--set", "--odd"]
    )  # fmt: skip
    setting = st.builds(
        "{}={}".format, st.sampled_from(sorted(PARAMETERS)), anything.map(repr) | texts
    )
    pair = st.tuples(options, values) | st.tuples(st.just("--set"), setting)
    run_line = st.lists(pair, max_size=4).map(
        lambda pairs: [
            "run",
            "--root",
            str(folder),
            "--out",
            str(busy),
            *(word for pair in pairs for word in pair),
        ]
    )
    outs = st.sampled_from([str(folder / "a.csv"), "a.txt", str(folder / "b.parquet")])
    columns = st.sampled_from(["--path-column", "--component-column", "--images-root"])
    predict_line = st.tuples(
        st.just("predict"), paths, paths, st.just("--out"), outs, columns, values
    ).map(list)
    nowhere = st.sampled_from([str(folder / "gone"), "/dev/null", str(busy), ""])
    figures = st.sampled_from(["--count", "--shown", "--threshold", "--label-columns", "--reid"])
    audit_line = st.tuples(
        st.just("audit"), nowhere, st.just("--out"), st.just(str(folder / "audit")), figures, values
    ).map(list)
    loose = st.lists(
        st.sampled_from(["run", "predict", "audit", "sample"]) | texts, min_size=2, max_size=3
    )
    no_work = loose.map(lambda words: ["predict", *words])

    def run(words: list[str]) -> bool:
        assert lock.is_locked, "there would be a run"
        with _quiet():
            try:
                app(words)
            except SystemExit as end:  # typer has said why
                if end.code:
                    raise _UsageError(f"the command line is refused: {end.code}") from end
        return False

    return Target(st.one_of(run_line, run_line, predict_line, audit_line, no_work), run)


class _UsageError(PetaVizError):
    """What typer says of a command line."""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
