"""What components that were drawn at random and judged blindly say of all of them."""

from collections.abc import Collection

import pandas as pd

from peta_viz.curation.acts import Cell, Ledger, blindly
from peta_viz.curation.decisions import Decisions, raw_value
from peta_viz.curation.queues import done_by, estimate_share, fitting, members_of, strata_of
from peta_viz.imageset import ImageSet

FINDINGS: dict[str, tuple[str, str]] = {  # the field, and of marks which one
    "labels changed": ("label", ""),
    "label error": ("mark", "label error"),
    "different things": ("component", ""),
    "images dropped": ("image", ""),
    "model mistake": ("mark", "model mistake"),
    "bad": ("mark", "bad"),
    "undecidable": ("mark", "unsure"),
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
        Only acts that were made blindly, in a component that was drawn and is settled, count.

    Returns
    -------
    DataFrame
        One row per finding: `components` that were looked at, `found` (in how many of them
        something stands that is not as it was), `share` (of all components of two and more on these
        sides, each stratum with its weight), `low` and `high` (95 %). Strata of which no component
        was looked at are left out of all. Empty if there is no blind decision.

    """
    strata = strata_of(imageset, components, sides=sides)
    # Only these: what was seen and done otherwise would be no random part.
    blind = Ledger(blindly(decisions.entries))
    acts = fitting(blind.acts(), members_of(imageset))
    drawn = [entry for entry in acts if entry.act.probability is not None]
    looked_at = sorted(done_by(drawn) & set(strata.index))
    if not looked_at:
        return pd.DataFrame(columns=["components", "found", "share", "low", "high"])
    home = imageset.images["component_id"]
    changed: dict[int, list[Cell]] = {one: [] for one in looked_at}
    for cell, (after, _) in blind.standing().items():
        component = int(home[cell.image_id])
        if component in changed and after != raw_value(imageset, cell):
            changed[component].append(cell)
    known = strata[strata.isin(strata[looked_at].unique())]
    rows = {}
    for name, what in FINDINGS.items():
        found = {
            one: any((c.field, c.label if c.field == "mark" else "") == what for c in cells)
            for one, cells in changed.items()
        }
        judged = pd.Series(found)
        share, low, high = estimate_share(known, judged)
        rows[name] = (len(judged), int(judged.sum()), share, low, high)
    columns = ["components", "found", "share", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("finding")
