"""What happens to files: bytes that are replaced, put in, cut out or repeated, and nodes of JSON likewise."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

PLACES = st.integers(0, 1_000_000)
EDITS = st.lists(
    st.tuples(st.sampled_from("rrricd"), PLACES, st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
)
# What a program that was not careful would trip over, in the place of any value.
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    10**30,
    10**400,
    2**63,
    0.5,
    -1e308,
    "",
    "\ud800",
    "\0",
    "../x",
    "#",
    [],
    {},
    [[]],
]
NODES = st.lists(st.tuples(st.sampled_from("vvvdkrn"), PLACES, st.sampled_from(VALUES)), min_size=1, max_size=4)


def damaged(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Some bytes replaced (r), put in (i), cut out (c) or repeated (d)."""
    for kind, place, new in edits:
        at = place % max(1, len(content))
        cut = len(new) if kind in "rc" else 0
        put = {"r": new, "i": new, "c": b"", "d": content[at : at + 4 * len(new)]}[kind]
        content = content[:at] + put + content[at + cut :]
    return content


def rearranged(value: Any, edits: list[tuple[str, int, Any]]) -> Any:
    """A JSON value with some nodes replaced (v), deleted (d), renamed (k), repeated or moved (r), or nested (n)."""
    value = deepcopy(value)
    for kind, place, new in edits:
        nodes = _nodes(value)
        if not nodes:
            return value
        holder, key = nodes[place % len(nodes)]
        if kind == "v":
            holder[key] = deepcopy(new)
        elif kind == "d":
            del holder[key]
        elif kind == "n":
            holder[key] = [[holder[key]]]
        elif isinstance(holder, list):
            holder.insert(key, deepcopy(holder[key]))
        else:
            name = f"{key}x" if kind == "k" else next(iter(holder))
            holder[name] = holder.pop(key)
    return value


def rearranged_lines(content: bytes, edits: list[tuple[str, int, Any]]) -> bytes:
    """Lines of JSON, the nodes of all of which are counted together."""
    lines = rearranged([json.loads(line) for line in content.splitlines()], edits)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place below a value: what holds it, and its key or index there."""
    found: list[tuple[Any, Any]] = []
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in places:
        found += [(value, key), *_nodes(inner)]
    return found
