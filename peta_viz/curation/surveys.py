"""What components that were drawn at random and judged blindly say of all of them."""

from collections.abc import Callable, Collection

import pandas as pd

from peta_viz.curation.acts import Entry, Ledger
from peta_viz.curation.decisions import Decisions
from peta_viz.curation.queues import estimate_share, strata_of
from peta_viz.imageset import ImageSet


def _marked(*names: str) -> Callable[[list[Entry]], bool]:
    def found(entries: list[Entry]) -> bool:
        marks: dict[str, str] = {}
        for entry in entries:
            for change in entry.act.changes:
                if change.cell.field == "mark":
                    marks[change.cell.label] = change.after
        return any(marks.get(name) == "yes" for name in names)

    return found


def _does(*fields: str) -> Callable[[list[Entry]], bool]:
    def found(entries: list[Entry]) -> bool:
        return any(c.cell.field in fields for entry in entries for c in entry.act.changes)

    return found


FINDINGS: dict[str, Callable[[list[Entry]], bool]] = {
    "labels changed": _does("label"),
    "label error": _marked("label error"),
    "different persons": _does("component"),
    "images dropped": _does("image"),
    "model mistake": _marked("model mistake"),
    "bad": _marked("bad"),
    "undecidable": _marked("unsure"),
}


def survey(
    imageset: ImageSet,
    components: pd.DataFrame,
    decisions: Decisions,
    *,
    sides: Collection[str] = (),
) -> pd.DataFrame:
    """Weigh blind decisions up to all components of two and more.

    Parameters
    ----------
    imageset, components, sides
        As for `strata_of`.
    decisions
        Only acts that were made blindly, in a component that was drawn, count.

    Returns
    -------
    DataFrame
        One row per finding: `components` that were looked at, `found` (how many of them), `share`
        (of all components of two and more on these sides, each stratum with its weight), `low` and
        `high` (95 %). Strata of which no component was looked at are left out of all. Empty if
        there is no blind decision.

    """
    strata = strata_of(imageset, components, sides=sides)
    by_component: dict[int, list[Entry]] = {}
    for entry in Ledger(decisions.entries).acts():
        drawn = entry.act.blind and entry.act.probability is not None
        if drawn and entry.act.component_id in strata.index:
            by_component.setdefault(entry.act.component_id, []).append(entry)
    if not by_component:
        return pd.DataFrame(columns=["components", "found", "share", "low", "high"])
    looked_at = strata[list(by_component)].unique()
    known = strata[strata.isin(looked_at)]
    rows = {}
    for name, rule in FINDINGS.items():
        judged = pd.Series({one: rule(entries) for one, entries in by_component.items()})
        share, low, high = estimate_share(known, judged)
        rows[name] = (len(judged), int(judged.sum()), share, low, high)
    columns = ["components", "found", "share", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("finding")
