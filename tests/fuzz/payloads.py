"""Messages that are nearly right: an ordinary one with something in it changed, torn, blown up or in another alphabet."""

import json
from typing import Any, Final, cast

from hypothesis import strategies as st

from schemas.messages import MESSAGE_BYTES_MAX
from tests.fuzz.check import GATEWAY, TOPICS
from tests.support.readings import a_reading, batch

_DEEP: Final = 100_000
#: What stands where something else belongs.
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.1, -0.0, 1e308, "", "\0", "\ud800", "0" * 70, "x" * 5_000, "NaN", [],
    {}, [[]], {"": {}}, [None] * 600, ["\0"] * 600, "2026-02-30T25:61:61Z", "0001-01-01T00:00:00+23:59", "٣", "-", "ff" * 1100,
)  # fmt: skip
_json: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
_VALUES: Final = st.sampled_from(_ODD) | _json
#: Not JSON, or hardly.
RAW: Final[tuple[bytes, ...]] = (
    b"", b"\0", b"\xff\xfe", b"{", b"[" * _DEEP, b'{"a":' * _DEEP, b"[]" * 9, b'"' + b"\\" * 999, b"NaN", b"9" * 5_000, b"\xef\xbb\xbf{}",
    b" " * (MESSAGE_BYTES_MAX + 1), b"{" + b" " * MESSAGE_BYTES_MAX + b"}", b"1e999",
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a JSON value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(cast(dict[str, Any], value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast(list[Any], value)))
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _put(value: Any, path: tuple[Any, ...], change: Any, *, away: bool) -> Any:
    """The value with another at that place, or nothing."""
    if not path:
        return change
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    if away:
        del holder[path[-1]]
    else:
        holder[path[-1]] = change
    return value


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """A batch of readings in which some values stand that do not belong there."""
    readings = draw(st.lists(a_reading(), min_size=1, max_size=3))
    message: Any = json.loads(batch(GATEWAY, *readings)[1])
    for _ in range(draw(st.integers(0, 3))):
        places = _places(message)
        path = places[draw(st.integers(0, len(places) - 1))]
        message = _put(message, path, draw(_VALUES), away=draw(st.booleans()) and bool(path))
    return json.dumps(message, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def _torn(draw: st.DrawFn) -> bytes:
    """Such a message with bytes cut out, put in, or in another alphabet."""
    payload = draw(nearly_right())
    match draw(st.integers(0, 3)):
        case 0:
            return payload[: draw(st.integers(0, len(payload)))]
        case 1:
            at = draw(st.integers(0, len(payload)))
            return payload[:at] + draw(st.binary(max_size=9)) + payload[at + draw(st.integers(0, 9)) :]
        case 2:
            return payload.decode("utf-8", "replace").encode(
                draw(st.sampled_from(["utf-16", "utf-32", "cp037", "utf-7"])), "replace"
            )
        case _:
            return payload * draw(st.sampled_from([2, 50, 500]))


#: (topic, payload).
MESSAGES: Final = st.tuples(
    st.just(TOPICS[0]) | st.sampled_from(TOPICS),
    nearly_right()
    | _torn()
    | st.sampled_from(RAW)
    | st.binary(max_size=300)
    | _json.map(lambda one: json.dumps(one).encode()),
)
