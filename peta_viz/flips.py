"""Flips: components that one experiment got right and others wrong."""

from collections.abc import Sequence

import pandas as pd
from scipy.stats import binomtest

from peta_viz.confusion import judged, right
from peta_viz.errors import InvalidDataError
from peta_viz.imageset import Head

WON = "wrong in A, right in B and C"
LOST = "right in A, wrong in B and C"


def flips(predictions: pd.DataFrame, heads: Sequence[Head]) -> pd.DataFrame:
    """Find the components whose answer turned with the cleaning, head by head.

    Parameters
    ----------
    predictions
        As `peta_viz.run_experiments` returns, with the experiments A, B and C.
    heads
        The heads.

    Returns
    -------
    DataFrame
        One row per seed, head and component that turned: `seed`, `head`, `component_id`, `size`
        and `flip`, one of `WON` and `LOST`. An answer is right where the class, or every label of
        the head that counts, is predicted right; B is judged on cleaned labels. Components that B
        has no more, or that do not count for a head in any of the three, cannot turn.

    Raises
    ------
    InvalidDataError
        If one of the three experiments is not there.

    """
    rows = []
    for seed, answers, sizes in _answers(predictions, heads):
        for head in heads:
            own = pd.concat({name: table[head.name] for name, table in answers.items()}, axis=1)
            own = own[["A", "B", "C"]].dropna().astype(bool)
            won = own.index[~own["A"] & own["B"] & own["C"]]
            lost = own.index[own["A"] & ~own["B"] & ~own["C"]]
            for flip, ids in ((WON, won), (LOST, lost)):
                rows += [(seed, head.name, one, sizes[one], flip) for one in ids]
    frame = pd.DataFrame(rows, columns=["seed", "head", "component_id", "size", "flip"])
    numbers = dict.fromkeys(("seed", "component_id", "size"), "int64")
    return frame.astype({**numbers, "head": "str", "flip": "str"})


def count_flips(
    predictions: pd.DataFrame, heads: Sequence[Head], *, least_size: int = 2
) -> pd.DataFrame:
    """Count the flips, and test whether A and C differ.

    Parameters
    ----------
    predictions, heads
        As for `flips`.
    least_size
        Smaller components are left out.

    Returns
    -------
    DataFrame
        One row per seed and head: `seed`, `head`, `components` (that count in A and C), `WON` and
        `LOST`, then `only_a` and `only_c` (right in that one alone of A and C) and `p` of
        McNemar's exact test that both are equally likely (1 where neither occurs).

    Notes
    -----
    McNemar, "Note on the sampling error of the difference between correlated proportions" (1947).
    It takes components as independent; those of one person are not, which makes `p` too small.

    """
    turned = flips(predictions, heads)
    turned = turned[turned["size"] >= least_size]
    rows = []
    for seed, answers, sizes in _answers(predictions, heads):
        large = sizes.index[sizes >= least_size]
        for head in heads:
            both = pd.concat([answers["A"][head.name], answers["C"][head.name]], axis=1).dropna()
            both = both[both.index.isin(large)].astype(bool)
            first, second = both.iloc[:, 0], both.iloc[:, 1]
            only_a, only_c = int((first & ~second).sum()), int((second & ~first).sum())
            p = binomtest(only_c, only_a + only_c).pvalue if only_a + only_c else 1.0
            own = turned[(turned["seed"] == seed) & (turned["head"] == head.name)]["flip"]
            counts = [int((own == flip).sum()) for flip in (WON, LOST)]
            rows.append((seed, head.name, len(both), *counts, only_a, only_c, float(p)))
    columns = ["seed", "head", "components", WON, LOST, "only_a", "only_c", "p"]
    return pd.DataFrame(rows, columns=columns)


def _answers(
    predictions: pd.DataFrame, heads: Sequence[Head]
) -> list[tuple[int, dict[str, pd.DataFrame], "pd.Series[int]"]]:
    """Return by seed what was right in A, B and C, and the sizes of the components in A."""
    missing = {"A", "B", "C"}.difference(predictions["experiment"].unique())
    if missing:
        raise InvalidDataError(
            "the predictions", [f"there is no experiment {name}" for name in sorted(missing)]
        )
    found = []
    for seed, rows in predictions.groupby("seed"):
        experiments = judged(rows[rows["experiment"].isin(["A", "B", "C"])])
        answers = {name: right(one, heads) for name, one in experiments.items()}
        found.append((int(str(seed)), answers, experiments["A"].sizes))
    return found
