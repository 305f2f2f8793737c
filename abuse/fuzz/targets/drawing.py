"""What cases are drawn from: bytes of files gone wrong, any text, any JSON."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_NUMBERS = (0, 1, 0x7FFF, 0xFFFF, 50_000, 0x7FFFFFFF, 0xFFFFFFFF)
Edit = tuple[str, float, int, bytes]

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


def spoiled(seeds: Sequence[bytes]) -> SearchStrategy[bytes]:
    """Draw files with bits turned, parts cut out, put in twice or exchanged, and ends cut off."""
    kinds = st.sampled_from(["flip", "set", "number", "cut", "remove", "repeat", "insert"])
    edits = st.tuples(kinds, st.floats(0, 1), st.integers(0, 255), st.binary(max_size=8))
    made = st.builds(_spoil, st.sampled_from(seeds), st.lists(edits, min_size=1, max_size=5))
    return st.one_of(made, made, made, st.sampled_from(seeds), st.binary(max_size=200))


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
