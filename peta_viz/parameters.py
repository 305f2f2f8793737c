"""What the notebooks' parameters may be, checked before the first notebook runs."""

from collections.abc import Mapping
from typing import Any, get_args

from peta_viz.agreement import MEASURES
from peta_viz.components import Backend
from peta_viz.errors import InvalidDataError
from peta_viz.pruning import parse_strategy
from peta_viz.rules import (
    ABOVE_0,
    SEED,
    TEXT,
    YES_NO,
    Rule,
    list_of,
    number,
    one_of,
    problems_with,
    shown,
    whole,
)
from peta_viz.splitting import SPLITS
from peta_viz.training.config import RULES

_PATH = Rule("a path", lambda value: TEXT.fits(value) and value != "").or_none()
_FIXED = ("seed", "weight_decay", "precision")  # no notebook asks for them
_TRAINING = {name: rule for name, rule in RULES.items() if name not in _FIXED}
PARAMETERS: Mapping[str, Rule] = {
    **_TRAINING,
    **{name: RULES[name].or_none() for name in ("epochs", "height_px", "width_px")},
    "learning_rate": ABOVE_0.or_none(),
    **dict.fromkeys(("root", "table", "images_root", "reid", "truth", "curation"), _PATH),
    "ray_work_dir": _PATH,
    "out": Rule("a path", bool),
    "path_column": TEXT.or_none(),
    "label_columns": list_of(TEXT),
    "class_columns": list_of(TEXT),
    "person_column": TEXT.or_none(),
    "missing": one_of(("error", "unknown")),
    "threshold": number(0, 1).or_none(),
    "neighbours": whole(1, 10_000).or_none(),
    "backend": one_of(get_args(Backend)),
    "engine": one_of(("local", "ray")),
    "ray_address": TEXT.or_none(),
    "leak_margin": number(0, 1).or_none(),
    "seed": SEED,
    "strategies": list_of(TEXT),
    "flag_measures": list_of(one_of(tuple(MEASURES))),
    "flag_percentiles": list_of(number(0, 100)),
    "shown": whole(1, 10_000),
    "seeds": list_of(SEED, least=1),
    "cleaned_by": one_of(("strategies", "people")),
    "report_every": whole(0, 1_000_000),
    "track": YES_NO,
    "cnvrg": YES_NO,
    "person": TEXT,
    "by": TEXT,
    "sides": list_of(one_of(tuple(SPLITS))),
    "blind": whole(0, 1_000_000_000),
    "second_opinion": number(0, 1),
}


def check_parameters(given: Mapping[str, Any]) -> None:
    """Refuse values that the notebooks cannot use; the message lists all of them.

    Raises
    ------
    InvalidDataError
        If there is one, or a strategy that is not known.

    """
    problems = problems_with(given, PARAMETERS)
    if not any(text.startswith("strategies ") for text in problems):
        for text in given.get("strategies", ()):
            try:
                parse_strategy(text)
            except InvalidDataError as error:
                problems += [f"strategies: {shown(text)}: {words}" for words in error.problems]
    if problems:
        raise InvalidDataError("the parameters", problems)
