"""What benchmarks/fuzz_readers.py feeds: values, and edited copies of whole ones."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

TEXTS = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["", "..", "/dev/zero", "../../secret", "a\0b", "\n\x1b[2J", "\ud800", "x" * 5000]
)
NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([10**9, 2**31, 2**63, 10**15, 10**400, -(10**400)]),
    st.floats(),
    st.booleans(),
)
# Of every kind of number that some reader could trip over, and a few other things.
_EXTREMES = st.sampled_from(
    [10**400, -(10**400), 2**63, -1, 0, True, None, "x", [], {}, float("nan"), 1e400]
)
JSON = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
RAW = st.sampled_from(
    [b"", b"{]", b"[" * 100_000, b"\xff\xfe{}", b"null", b"9" * 5000, b"[]", b"7"]
) | st.binary(max_size=40)


def _places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """Yields the path to every value in a nest."""
    items: Any = []
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:3])
    for key, item in items:
        yield (*at, key)
        yield from _places(item, (*at, key))


@st.composite
def edited(draw: Callable, whole: Any) -> Any:
    """Draws a copy of a nest in which a few values are others, or are not there."""
    value = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(JSON)
        *path, last = draw(st.sampled_from(places))
        holder = value
        for key in path:
            holder = holder[key]
        if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
            del holder[last]
        else:
            # Not `one_of`, which would give each branch of JSON as much.
            holder[last] = draw(draw(st.sampled_from([_EXTREMES, TEXTS, JSON])))
    return value


def edited_bytes(whole: bytes) -> st.SearchStrategy[bytes]:
    """Returns a strategy of copies of a file with damage."""
    places = st.integers(0, len(whole) - 1)

    def damage(edits: list[tuple[int, bytes]], end: int) -> bytes:
        data = bytearray(whole)
        for place, patch in edits:
            data[place : place + len(patch)] = patch
        return bytes(data[:end])

    patches = st.lists(st.tuples(places, st.binary(max_size=9)), max_size=4)
    return st.builds(damage, patches, places | st.just(len(whole)))


def json_file(whole: Any) -> st.SearchStrategy[bytes]:
    """Returns a strategy of JSON files like one, and of files that are none."""
    files = edited(whole).map(lambda value: json.dumps(value).encode())
    return st.sampled_from([files] * 5 + [RAW]).flatmap(lambda strategy: strategy)
