"""What the command takes: assignments, values of parameters, whole command lines."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from abuse.fuzz.judging import Target
from abuse.fuzz.targets.drawing import anything, mostly, numbers, texts
from abuse.fuzz.targets.small import small_checkpoint, small_pairs, small_predictions, small_set
from peta_viz.agreement import Flag, flag_components, measure_components
from peta_viz.cleaning import clean
from peta_viz.cli import app, read_assignments
from peta_viz.components import default_threshold, link
from peta_viz.curation.queues import draw_components, make_queue, strata_of
from peta_viz.errors import BusyError, PetaVizError
from peta_viz.parameters import PARAMETERS, check_parameters
from peta_viz.pruning import STRATEGIES, parse_strategy
from peta_viz.splitting import split
from peta_viz.training.config import TrainConfig

# Of these each parameter finds what its rule allows.
_POOL: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 5, 7, 32, 64, 100, 128, 0.0, 0.001, 0.3, 0.5, 0.96, 1.0),
    *("fastdup", "exact", "approximate", "auto", "error", "unknown", "local", "ray", "path", "a"),
    *("union", "majority", "strict", "strategies", "people", "grouped", "shared", "focal"),
    *("cross_entropy", "none", "balanced", "influence", "flips", "similarity", "size", "std"),
    *([], [0], [0, 1, 2], ["a"], ["kind", "a"], ["train"], ["validation", "test"]),
    *(["std"], ["std", "variance"], ["disagreement"], [80], [0, 99.5], (1, 2)),
)
_RULES = st.lists(
    mostly(
        st.sampled_from(
            [
                *("component_pruning:measure=std,percentile=80", "label_pruning:ratio=0.5"),
                *("label_intersection", "image_pruning:ratio=0.3", "component_pruning"),
                *("label_pruning:ratio=0.2,impute=yes", "label_correction:certainty=0.9"),
            ]
        ),
        st.builds(
            lambda name, options: f"{name}:{','.join(f'{o}={v}' for o, v in options)}",
            st.sampled_from([*STRATEGIES, "odd"]),
            st.lists(
                st.tuples(
                    st.sampled_from(
                        ["ratio", "impute", "min_size", "measure", "percentile", "absolute", "over"]
                    ),
                    st.sampled_from(["0.3", "80", "yes", "std", "all", "nan", "-1", "1e999"])
                    | numbers.map(str)
                    | texts,
                ),
                max_size=2,
            ),
        )
        | texts,
        of=5,
    ),
    max_size=2,
)
_LIKELY: Mapping[str, SearchStrategy[Any]] = {
    **{
        name: st.sampled_from([v for v in _POOL if rule.fits(v)])
        for name, rule in PARAMETERS.items()
    },
    "strategies": _RULES,
}
_UNLIKELY = st.one_of(
    numbers, anything, texts, st.lists(numbers | texts, max_size=3), st.sampled_from(_POOL)
)


def assignments(_: Path) -> Target:
    """Read ``--set name=value`` and check what it says."""
    odd = st.one_of(
        _UNLIKELY.map(repr),
        texts,
        st.sampled_from(
            ["(" * 300, "-" * 50_000 + "1", "{[]: 1}", "9" * 6_000, "1e999", "b'a'", "[" * 99]
        ),
        st.lists(st.sampled_from(list("()[]{},:'\"0189eE.-+*jnaN\\x# ")), max_size=20).map("".join),
    )
    written = {name: mostly(_LIKELY[name].map(_typed), odd, of=5) for name in PARAMETERS}
    likely = st.sampled_from(sorted(PARAMETERS)).flatmap(
        lambda name: st.tuples(st.just(name), written[name]).map("=".join)
    )
    unknown = st.builds("{}={}".format, texts, odd) | texts
    cases = st.lists(mostly(likely, unknown, of=20), min_size=1, max_size=3)

    def run(case: list[str]) -> Sequence[str]:
        check_parameters({k: v for k, v in read_assignments(case).items() if k in PARAMETERS})
        return ()

    return Target(cases, run)


def _typed(value: Any) -> str:
    """Write a value as people do, who leave the quotes out."""
    return value if isinstance(value, str) else repr(value)


def parameters(folder: Path) -> Target:
    """Check values of parameters, and use those that pass as the notebooks do."""
    imageset = small_set(folder)
    pairs, predictions = small_pairs(imageset), small_predictions(imageset)
    components = measure_components(imageset)
    likely = {name: mostly(_LIKELY[name], _UNLIKELY, of=7) for name in PARAMETERS}
    cases = st.lists(
        mostly(st.sampled_from(_USED), st.sampled_from(sorted(PARAMETERS)), of=3),
        min_size=1,
        max_size=5,
        unique=True,
    ).flatmap(lambda names: st.fixed_dictionaries({name: likely[name] for name in names}))

    def run(given: dict[str, Any]) -> Sequence[str]:
        check_parameters(given)
        _use(given)
        return ()

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


_USED = (
    *("threshold", "leak_margin", "seed", "flag_measures", "flag_percentiles", "strategies"),
    *("epochs", "learning_rate", "sides", "by", "blind", "height_px", "targets"),
)
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
    small_set(folder)
    small_checkpoint(folder / "best.pt")
    (folder / "table.csv").write_text("path,a,kind\n1.png,1,x\n2.png,0,y\n", encoding="utf-8")
    cases = mostly(_run_lines(folder, busy), _other_lines(folder, busy), of=4)

    def run(words: list[str]) -> Sequence[str]:
        assert lock.is_locked, "there would be a run"
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                app(words)
            except BusyError:
                return ()  # everything else is as it should be
            except SystemExit as end:  # typer has said why
                if end.code:
                    raise _UsageError(f"{words[:1]}: {_last_words(said.getvalue())}") from end
        return ()

    return Target(cases, run)


def _run_lines(folder: Path, busy: Path) -> SearchStrategy[list[str]]:
    """Draw runs of a table, or the release that is none, with options mostly of the right kind."""
    table = [str(folder / "table.csv"), "--label-columns", "a"]
    inputs = mostly(st.just(table), st.sampled_from([[str(folder)], table[:1], []]))
    odd = st.one_of(
        numbers.map(str), texts, _paths(folder, busy), st.sampled_from(["nan", "-1", ""])
    )
    likely: Mapping[str, Sequence[str]] = {
        "--threshold": ["0.9", "1", "0"],
        "--neighbours": ["2", "20"],
        "--backend": ["fastdup", "exact", "auto"],
        "--engine": ["local"],
        "--clean": ["label_pruning:ratio=0.5", "component_pruning"],
        "--targets": ["union", "majority"],
        "--epochs": ["1", "8"],
        "--seeds": ["0", "0,1,2"],
        "--seed": ["0", "7"],
        "--missing": ["error", "unknown"],
        "--class-columns": ["kind", ""],
        "--person-column": ["kind"],
        "--images-root": [str(folder)],
        "--reid": [str(folder / "gone.xml")],
        "--weights": [str(folder / "gone.pt"), "imagenet"],
        "--ray-address": ["auto"],
        "--path-column": ["path"],
    }
    options = [
        st.tuples(st.just(name), mostly(st.sampled_from(values), odd, of=10))
        for name, values in likely.items()
    ]
    setting = st.sampled_from(
        sorted(_LIKELY.keys() - {"engine", "ray_address", "root", "table"})
    ).flatmap(
        lambda name: st.tuples(
            st.just("--set"),
            mostly(_LIKELY[name], _UNLIKELY, of=10).map(lambda v: f"{name}={_typed(v)}"),
        )
    )
    unknown = st.tuples(st.sampled_from(["--odd", "--set", "-x", "extra"]), texts)
    settings = st.lists(
        mostly(st.one_of(*options), mostly(setting, unknown, of=10), of=3), max_size=3
    )
    return st.builds(
        lambda chosen, pairs: [
            "run",
            *chosen,
            "--out",
            str(busy),
            *(w for pair in pairs for w in pair),
        ],
        inputs,
        settings,
    )


def _other_lines(folder: Path, busy: Path) -> SearchStrategy[list[str]]:
    """Draw predictions, audits that find nothing to do, helps, and words without sense."""
    paths = _paths(folder, busy)
    values = st.one_of(numbers.map(str), texts, paths)
    outs = st.sampled_from([str(folder / name) for name in ("a.csv", "b.parquet", "a.txt")])
    columns = {"--path-column": "path", "--component-column": "kind", "--images-root": str(folder)}
    extra = st.sampled_from(sorted(columns)).flatmap(
        lambda name: mostly(st.just([name, columns[name]]), st.tuples(st.just(name), values), of=4)
    )
    predict = st.builds(
        lambda model, images, out, more: ["predict", model, images, "--out", out, *more],
        mostly(st.just(str(folder / "best.pt")), paths, of=4),
        mostly(st.just(str(folder / "table.csv")), paths, of=4),
        outs,
        mostly(extra, st.just([]), of=2),
    )
    nowhere = st.sampled_from([str(folder / "gone"), "/dev/null", str(busy), ""])
    figures = st.sampled_from(["--count", "--shown", "--threshold", "--label-columns", "--reid"])
    audit = st.tuples(
        *(st.just("audit"), nowhere, st.just("--out"), st.just(str(folder / "audit"))),
        *(figures, values),
    ).map(list)
    whole = st.sampled_from(
        [*(["--version"], ["--help"]), *([word, "--help"] for word in ("run", "predict", "audit"))]
    )
    words = st.sampled_from(["run", "predict", "audit", "sample", "--kind"]) | texts
    loose = st.lists(words, min_size=2, max_size=3).map(lambda words: ["predict", *words])
    return mostly(mostly(predict, audit, of=3), mostly(whole, loose, of=2), of=3)


def _paths(folder: Path, busy: Path) -> SearchStrategy[str]:
    places = (folder, folder / "table.csv", folder / "gone", "/dev/null", busy, "")
    return st.sampled_from([str(place) for place in places])


def _last_words(text: str) -> str:
    """Return what typer says in its box, without the frame."""
    lines = [line.strip("│ ") for line in text.splitlines() if line.startswith("│")]
    return " ".join(lines) or text.strip()[-200:]


class _UsageError(PetaVizError):
    """What typer says of a command line."""
