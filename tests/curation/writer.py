"""Writes acts into a log from a process of its own: ``writer.py LOG PERSON COUNT [KILLED_AFTER]``.

Each act that was acknowledged is printed, as its id, before the next one is begun.
"""

import os
import signal
import sys

from peta_viz.curation.acts import Act, Cell, Change
from peta_viz.curation.log import DecisionLog


def main(path, person, count, killed_after=None):
    log = DecisionLog(path)
    for number in range(count):
        cell = Cell(f"{person}{number}", "label", "x")
        act = Act("relabel", number, (cell.image_id,), (Change(cell, "no", "yes"),))
        sys.stdout.write(f"{log.write(act, person).id}\n")
        sys.stdout.flush()
        if number + 1 == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    log, who, *counts = sys.argv[1:]
    main(log, who, *map(int, counts))
