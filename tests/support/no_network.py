"""Refuses every connection that leaves this computer: what the tests run under, and the Python processes they start.

`block()` replaces socket's own calls in this process. A child does the same before it imports anything else when
`variables()` are in its environment: Python then runs `no_network_child/sitecustomize.py`. What does not go through
Python's sockets is not seen here; tests/integration/test_no_network.py takes the network away altogether for that.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("no_network_child")
LOG = "FEEDSEG_NETWORK_LOG"  # names the file that gets a line for every refusal, even one that somebody catches
LOCAL_NAMES = {"", "localhost"}


class NetworkUsedError(AssertionError):
    """Another computer was asked for. Not an OSError, which libraries catch to go on without the network."""


def block(replace: Callable[[object, str, object], None] = setattr) -> None:
    """Nothing; `replace(object, name, new)` has put checks into socket's calls."""
    for name in ("connect", "connect_ex", "sendto"):
        replace(socket.socket, name, _checked_address(getattr(socket.socket, name)))
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        replace(socket, name, _checked_name(getattr(socket, name)))


def variables() -> dict[str, str]:
    """The environment of a Python process that shall be blocked as well."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(CHILD), os.environ.get("PYTHONPATH")]))}


def is_local(host: object) -> bool:
    """Whether a name or an address is this computer itself."""
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in LOCAL_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(name).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(host: object) -> None:
    if is_local(host):
        return
    if log := os.environ.get(LOG):
        with Path(log).open("a", encoding="utf-8") as lines:
            lines.write(f"{host}\n")
    raise NetworkUsedError(f"{host!r} was asked for: tests and imports use no network")


def _checked_address(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: socket.socket, *arguments: Any) -> Any:
        address = arguments[-1]
        if self.family in {socket.AF_INET, socket.AF_INET6} and isinstance(address, tuple):
            _check(address[0])
        return original(self, *arguments)

    return call


def _checked_name(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(host: Any, *arguments: Any, **options: Any) -> Any:
        _check(host)
        return original(host, *arguments, **options)

    return call
