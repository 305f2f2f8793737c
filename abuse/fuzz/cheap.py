"""Runs a number of random cases of one target, the same ones each time, in this process."""

from hypothesis import Phase, seed

from abuse.fuzz.running import drawn, job

_BATCH = 1_000  # Hypothesis remembers all that it drew


def main() -> None:
    """Run the cases, and leave the tally in a file."""
    mine = job(__doc__)
    batch = 0
    while (left := mine.amount - mine.judge.tally.cases) > 0:
        one = drawn(mine.judge, max_examples=min(left, _BATCH), phases=[Phase.generate])
        seed(mine.seed + batch)(one)()
        batch += 1
    mine.judge.keep()


if __name__ == "__main__":
    main()
