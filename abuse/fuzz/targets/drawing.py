"""What cases are drawn from: bytes of files gone wrong, any text, any JSON."""

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_NUMBERS = (0, 1, 0x7FFF, 0xFFFF, 50_000, 0x7FFFFFFF, 0xFFFFFFFF)
Edit = tuple[str, float, int, bytes]
T = TypeVar("T")
E = TypeVar("E")

texts = st.text(max_size=12) | st.text(st.characters(), max_size=4)
numbers = (
    st.integers(-3, 12)
    | st.integers()
    | st.floats()
    | st.sampled_from([2**31, 2**63, 2**64, -(2**63), 10**30, 1e308, -0.0])
)
scalars = st.none() | st.booleans() | numbers | texts
anything: SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=6,
)


def mostly(usual: SearchStrategy[T], odd: SearchStrategy[T], *, of: int = 8) -> SearchStrategy[T]:
    """Draw an odd thing once `of` so many times, and what is usual otherwise.

    `one_of` does not do: it takes a strategy that is named twice once.
    """
    return st.sampled_from([*[usual] * (of - 1), odd]).flatmap(lambda chosen: chosen)


def some(edits: Sequence[E], likely: Sequence[int] = (0, 0, 1, 1, 1, 2, 3)) -> SearchStrategy[Any]:
    """Draw how many edits there are, none among them, and which."""
    return st.sampled_from(likely).flatmap(
        lambda count: st.lists(st.sampled_from(edits), min_size=count, max_size=count)
    )


def drawn_each(chosen: Sequence[SearchStrategy[T]]) -> SearchStrategy[list[T]]:
    """Draw one of each."""
    return st.tuples(*chosen).map(list)


def spoiled(seeds: Sequence[bytes], *, of: int = 2) -> SearchStrategy[bytes]:
    """Draw files, one of so many with bits turned, parts cut out, put in twice or exchanged."""
    return mostly(st.sampled_from(seeds), damaged(st.sampled_from(seeds)), of=of)


def damaged(files: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Draw files with one to three edits that know nothing of their format, or none of a file."""
    kinds = st.sampled_from(["flip", "set", "number", "cut", "remove", "repeat", "insert"])
    edits = st.tuples(kinds, st.floats(0, 1), st.integers(0, 255), st.binary(max_size=8))
    made = st.builds(_spoil, files, st.lists(edits, min_size=1, max_size=3))
    return mostly(made, st.binary(max_size=200), of=12)


def _spoil(seed: bytes, edits: Sequence[Edit]) -> bytes:
    data = bytearray(seed)
    for kind, share, number, some in edits:
        place = min(int(share * len(data)), max(0, len(data) - 1))
        if not data or kind == "insert":
            data[place:place] = some
        elif kind == "flip":
            data[place] ^= 1 << (number % 8)
        elif kind == "set":
            data[place] = number
        elif kind == "number":
            order: Any = "big" if number % 2 else "little"
            data[place : place + 4] = _NUMBERS[number % len(_NUMBERS)].to_bytes(4, order)
        elif kind == "cut":
            del data[place:]
        elif kind == "remove":
            del data[place : place + number]
        else:
            data[place:place] = data[place : place + number]
    return bytes(data)
