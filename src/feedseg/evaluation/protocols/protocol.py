"""Protocols as data: the sizes, windows, scale and threshold that a published evaluation uses on a benchmark.

Each is a TOML file beside this one: values for every benchmark, and a table with those that differ on one, with a name
of its own where they are not the paper's. A new file there is a new protocol. A user's own file says in `base` which
published one it changes, "fsa" unless told otherwise, and may give the same keys: short_side, max_long_side, window,
stride, logit_scale, threshold, smallest_area. In all of them the softmax runs over the words, as in published code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import BENCHMARKS
from feedseg.evaluation.toml_files import PROTOCOL_FILES, Table, read_toml, suggestion
from feedseg.settings import Settings
from feedseg.vision.hosts import HOSTS

if TYPE_CHECKING:
    from feedseg.vision.hosts.base import Host

PROTOCOLS = tuple(sorted(path.stem for path in PROTOCOL_FILES.glob("*.toml")))
_SETTINGS = {one.name for one in fields(Settings)}
HOST = "host"  # stands for the protocol of the host's own paper


@dataclass(frozen=True)
class Protocol:
    """How a benchmark is evaluated; class names and prompt templates are the benchmark's and the vocabulary's."""

    name: str  # "FSA", what it is called on this benchmark, or the user's file
    settings: Settings
    threshold: float  # pixels whose best class is less probable become background
    smallest_area: float | None  # classes with a smaller part of all pixels that are not background vanish
    own: Mapping[str, Any] = field(default_factory=dict)  # of its settings those that a user's own file gives


def load_protocol(name_or_file: str, benchmark: str, host: str | Host) -> Protocol:
    """The protocol for a benchmark.

    Args:
        name_or_file: one of `PROTOCOLS`, "host" for that of the host's own paper, or a path that ends in ".toml".
        benchmark: the benchmark's name; one that the protocol does not know gets its values for all.
        host: the host or its name, which counts for "host" alone.

    Raises:
        FeedsegError: no such protocol, or a file that cannot be read or has a wrong key or value.
    """
    name = str(name_or_file)
    if not name.endswith(".toml"):
        name = HOSTS.load(host).protocol if name == HOST else name
        title, values = _published_values(name, benchmark)
        return _protocol(title, values, name)
    table = Table(read_toml(Path(name)), name)
    base = table.text("base") or "fsa"
    own = _values(table, benchmark)
    _, values = _published_values(HOSTS.load(host).protocol if base == HOST else base, benchmark)
    protocol = _protocol(own.pop("name", name), values | own, name)
    return replace(protocol, own={key: getattr(protocol.settings, key) for key in own if key in _SETTINGS})


def _published_values(name: str, benchmark: str) -> tuple[str, dict[str, Any]]:
    """Its title and the values of a published protocol on a benchmark."""
    if name not in PROTOCOLS:
        own = "one of your own is a file that ends in .toml"
        raise FeedsegError(f"there is no protocol {name!r} ({own}){suggestion(name, (*PROTOCOLS, HOST))}")
    table = Table(read_toml(PROTOCOL_FILES / f"{name}.toml"), name)
    values = _values(table, benchmark)
    return values.pop("name", name), values


def _values(table: Table, benchmark: str) -> dict[str, Any]:
    """The values for every benchmark, and over them those of the benchmark's own table, its name too."""
    for key in ("base", "source"):
        table.text(key)
    tables = {key: value for key, value in table.values.items() if isinstance(value, dict)}
    for key in tables:
        table.raw(key)
        if key not in BENCHMARKS and key != benchmark:
            raise FeedsegError(f"{table.origin}: no benchmark is called {key!r}{suggestion(key, BENCHMARKS)}")
    own = Table(tables.get(benchmark, {}), f"{table.origin}, [{benchmark}]")
    values = _numbers(table) | _numbers(own)
    for one in (table, own):
        one.finish()
    return values


def _numbers(table: Table) -> dict[str, Any]:
    values = {
        "name": table.text("name"),
        "short_side": table.integer("short_side", least=1),
        "max_long_side": table.integer("max_long_side", least=1),
        "window": _sides(table, "window"),
        "stride": _sides(table, "stride"),
        "logit_scale": table.number("logit_scale"),
        "threshold": _fraction(table, "threshold"),
        "smallest_area": _fraction(table, "smallest_area"),
    }
    return {key: value for key, value in values.items() if value is not None}


def _sides(table: Table, key: str) -> Any:
    """A number of pixels, [height, width], or for the window "none"."""
    value = table.raw(key)
    if value is None or (key == "window" and value == "none"):
        return value
    sides = value if isinstance(value, list) else [value]
    if not 1 <= len(sides) <= 2 or not all(type(side) is int and side >= 1 for side in sides):
        none = ' or "none" for the whole image' if key == "window" else ""
        raise FeedsegError(f"{table.origin}: {key} is a number of pixels, [height, width]{none}, not {value!r}")
    return tuple(sides) if isinstance(value, list) else value


def _fraction(table: Table, key: str) -> float | None:
    value = table.number(key)
    if value is not None and not 0 <= value < 1:
        raise FeedsegError(f"{table.origin}: {key} is from 0 to below 1, not {value:g}")
    return value


def _protocol(title: str, values: dict[str, Any], origin: str) -> Protocol:
    settings = {key: value for key, value in values.items() if key not in ("threshold", "smallest_area")}
    if settings["window"] == "none":
        settings["window"] = None
    if not isfinite(settings["logit_scale"]):
        raise FeedsegError(f"{origin}: logit_scale is a finite number")
    try:
        return Protocol(title, Settings(**settings, softmax="words"), values["threshold"], values.get("smallest_area"))
    except ValueError as error:
        raise FeedsegError(f"{origin}: {error}") from error
