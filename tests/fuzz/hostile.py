"""Values that programs have stumbled over, and JSON written so that they survive: twice-named members, NaN, halves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Raw:
    """A piece of text that goes into a document as it is."""

    text: str


@dataclass(frozen=True)
class Members:
    """An object's members one after the other, some perhaps of one name."""

    pairs: tuple[tuple[str, Any], ...]


TEXTS = (
    *("", " ", "\t\n", "0", "-1", "1e3", "null", "true", "NaN", "undefined", "[]", "{}", "None"),
    *("\x00", "a\x00b", "é", "e\u0301", "𝒳", "\u202egnp.exe", "\ufeff", "\uffff", "\ud7ff", "İ", "ß" * 30),
    *("../../etc/passwd", "%2e%2e%2f", "C:\\x", "<script>alert(1)</script>", "'; DROP TABLE x; --", '"', "\\"),
    *("%s%n%d", "{{7*7}}", "${jndi:ldap://x.invalid}", "{0.__class__}", "\r\nX-Injected: 1", "a,b;c|d", "=1+1"),
    *("x" * 256, "x" * 5000, "9" * 400, "²", "٣", "１", "1_000", "0x10", "+1", "1.", "-0"),
    *("2026-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00+99:99"),
    *("2026-03-29T02:30:00", "1969-12-31T23:59:59-14:00", "2026-01-01", "12/31/2026", "99999-01-01T00:00:00Z", "T"),
    *(
        "* * * * * ?",
        "0 0 0 31 2 ?",
        "0 0 0 ? * 6#5",
        "0 0 0 L-3 * ?",
        "0/0 * * * * ?",
        "60 * * * * ?",
        "0 0 0 1 1 ? 2099",
    ),
    *("0 0 0 29 2 ? 2026-2029", "0 0 0 LW * ?", "* * * * *", "0 0-0/1 * * * ? *", "0 0 0 ? * MON-SUN/9", "@daily"),
    *("Europe/Berlin", "Asia/Kolkata", "America/Nowhere", "../UTC", "localtime", "UTC+25", "EST5EDT", "Factory"),
    *(
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "//x.invalid",
        "http://",
    ),
)
NUMBERS = (0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400)
FLOATS = (-0.0, 0.1, 1e308, 5e-324, 1.0, 1e22, -1e15, 0.5)
RAWS = tuple(
    Raw(text)
    for text in (
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e-999", "01", "+1", ".5", "1.", "0x1F", "'a'", "undefined"),
        *('"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\x41"', '"\t"', "9" * 5000, "1" + "0" * 400 + ".5"),
        *("[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, '{"a":' * 500 + "1" + "}" * 500, "[" * 100_000),
        *("[1,]", '{"a":1,}', "/* */ 1", "1 2", "", '{"a" 1}', '"' + "\\u0061" * 3000 + '"'),
    )
)

scalars = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from([None, True, False, [], {}, [[]], [{}], [None], {"": ""}]),
    st.text(max_size=20),
    st.integers(),
    st.sampled_from(FLOATS),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.one_of(
    scalars,
    scalars,
    scalars,
    st.sampled_from(RAWS),
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
)


def written(value: Any) -> str:
    """Return a document's text."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Members):
        return "{" + ",".join(f"{json.dumps(name)}:{written(item)}" for name, item in value.pairs) + "}"
    if isinstance(value, dict):
        return written(Members(tuple((str(name), item) for name, item in value.items())))
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(written(item) for item in value) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**300:
        # Longer than Python writes.
        return "1" + "0" * 4400
    return json.dumps(value)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value inside a document, its own, the empty one, first."""
    found = [at]
    if isinstance(value, dict):
        for name, item in value.items():
            found += places(item, (*at, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            found += places(item, (*at, place))
    return found


def changed(value: Any, at: tuple[Any, ...], how: str, new: Any) -> Any:
    """Return a document in which the value at the end of a way is put to something new, doubled, renamed or gone."""
    if not at:
        return [value] if how == "wrap" else new
    if len(at) > 1:
        head, *rest = at
        if isinstance(value, Members) or head not in (value if isinstance(value, dict) else range(len(value))):
            return value
        inner = changed(value[head], tuple(rest), how, new)
        return {**value, head: inner} if isinstance(value, dict) else [*value[:head], inner, *value[head + 1 :]]
    return _here(value, at[0], how, new)


def _here(value: Any, key: Any, how: str, new: Any) -> Any:
    if isinstance(value, list):
        if how == "drop":
            return [item for place, item in enumerate(value) if place != key]
        if how == "double":
            return [*value, *value * 3]
        return [new if place == key else item for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return new
    if how == "drop":
        return {name: item for name, item in value.items() if name != key}
    if how == "double":
        return Members((*value.items(), (key, new)))
    if how == "rename":
        return {(f"{name} " if name == key else name): item for name, item in value.items()}
    if how == "add":
        return {**value, "unknown": new, "__proto__": new}
    if how == "wrap":
        return {**value, key: [value.get(key)]}
    return {**value, key: new}
