"""The errors peta-viz raises: each says what was expected, what came, and what to do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_SHOWN = 12


class PetaVizError(Exception):
    """Base of every error that peta-viz raises on purpose."""


class InvalidDataError(PetaVizError):
    """The user's data cannot be used as it is; the message lists the problems, up to a dozen.

    Parameters
    ----------
    what
        What was being read, such as ``"the table people.csv"``.
    problems
        One sentence per problem.

    """

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.what = what
        self.problems = tuple(problems)
        shown = "".join(f"\n  - {problem}" for problem in self.problems[:_SHOWN])
        more = len(self.problems) - _SHOWN
        rest = f"\n  … and {more} more" if more > 0 else ""
        super().__init__(f"{what} cannot be used:{shown}{rest}")


@contextmanager
def reworded(say: Callable[[str], str]) -> Iterator[None]:
    """Tell what cannot be used in the words of whoever asked: `say` is given each problem."""
    try:
        yield
    except InvalidDataError as error:
        raise InvalidDataError(error.what, list(map(say, error.problems))) from error


class FileProblemError(PetaVizError):
    """Something is wrong with one file.

    Parameters
    ----------
    path
        The file.
    reason
        Why, in a few words, and what to do.

    """

    what = ""

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{self.what}{path}: {reason}")


class DiskError(FileProblemError):
    """The disk is full, read-only or broken, or a file may not be written."""


class BusyError(PetaVizError):
    """Somebody else is at work in the same folder."""


class UnreadableImageError(FileProblemError):
    """An image file cannot be decoded."""


class MissingPartError(PetaVizError):
    """An optional part (an extra, a model, weights) is needed and is not there."""


class DecisionLogError(FileProblemError):
    """A decision log cannot be read, or an act could not be written to it."""

    what = "the decision log "


class RequestError(PetaVizError, ValueError):
    """A widget's front end asked for what there is not; reload the page if it is ours."""


class LeakError(PetaVizError):
    """Images that belong together lie on both sides of a split; scores would flatter."""


class StageError(PetaVizError):
    """A notebook of a run failed; the message holds the cell's source and the reason."""


def in_a_line(error: BaseException) -> str:
    """Return what an error says in its first line, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
