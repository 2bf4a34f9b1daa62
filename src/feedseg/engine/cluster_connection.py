"""Being a driver of a Ray cluster: of one that is joined, or of one that is this computer alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from math import inf
from threading import current_thread, main_thread
from typing import Any

from feedseg.errors import FeedsegError, first_line

PATIENCE = 5.0  # seconds for an address to answer
STORE = 128 * 2**20  # bytes that results may take on their way, where Ray is started here
# Nothing is told to anyone.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a worker without a GPU sees none; said so, Ray warns of no change
}
# Ray on Linux listens on the network also where it is one computer's alone; so it does as on other systems.
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


def check_ray() -> None:
    """Raises FeedsegError where Ray is not installed."""
    if find_spec("ray") is None:
        raise FeedsegError("this needs Ray: pip install 'feedseg[ray]'")


@contextmanager
def joined(address: str | None = None) -> Iterator[None]:
    """Inside, this process is a driver of a Ray cluster; what it has started there ends with it.

    A process that is one already stays it afterwards.

    Args:
        address: "host:port" of the cluster's head, or "auto" for one that runs on this computer; None for the one that
            RAY_ADDRESS names, and without it for one that is started here and ends with the block.

    Raises:
        FeedsegError: Ray is not installed or cannot be started; no cluster answers.
    """
    check_ray()
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address not in {"local", "auto"}:
        check_answers(address)
    for name, value in {**QUIET, **(ALONE if address == "local" else {})}.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    started: dict[str, Any] = {"object_store_memory": STORE, "include_dashboard": False} if address == "local" else {}
    with _own_signals():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **started)
        except Exception as error:  # of many kinds, some of which are Exception itself
            where = "Ray cannot be started" if address == "local" else f"the Ray cluster at {address} cannot be joined"
            raise FeedsegError(f"{where}: {first_line(error)}") from error
    _silence()
    try:
        yield
    finally:
        with suppress(Exception):  # a cluster that is gone cannot be left
            ray.shutdown()


def check_answers(address: str) -> None:
    """Raises FeedsegError where no cluster answers at host:port: Ray would try for minutes, and warn meanwhile."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdecimal():
        raise FeedsegError(
            f"--address is the host:port of a Ray cluster's head, such as 10.0.0.5:6379, not {address!r}"
        )
    advice = "start one with `ray start --head`, or leave --address out"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE) as connection:
            is_head = os.environ.get("RAY_USE_TLS") == "1" or _speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FeedsegError(f"no Ray cluster answers at {address} ({reason}): {advice}") from error
    if not is_head:
        raise FeedsegError(f"what answers at {address} is no head of a Ray cluster: {advice}")


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether the other end greets as HTTP/2 has it, by which a head talks: with its settings, a frame of type 4."""
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
    head = b""
    while len(head) < 9 and (block := connection.recv(9 - len(head))):
        head += block
    return len(head) == 9 and head[3] == 4


@dataclass(frozen=True)
class Slice:
    """What a worker has of a computer for itself, as Ray counts it."""

    cpus: float = 1.0
    gpus: float = 0.0


def computers() -> list[Slice]:
    """What each computer of the cluster has."""
    import ray

    alive = [one["Resources"] for one in ray.nodes() if one["Alive"]]
    return [Slice(of.get("CPU", 0.0), of.get("GPU", 0.0)) for of in alive]


def chosen_slice(cpus: float | None, gpus: float | None, having: Sequence[Slice]) -> Slice:
    """What each worker gets: as asked; else a GPU where there are some, and without them two processors.

    Raises:
        FeedsegError: no computer has so much.
    """
    if gpus is None:
        gpus = 1.0 if any(one.gpus for one in having) else 0.0
    if cpus is None:
        cpus = 1.0 if gpus else min(2.0, max((one.cpus for one in having), default=1.0))
    chosen = Slice(cpus, gpus)
    if not number_of(chosen, having):
        most = max((one.gpus, one.cpus) for one in having) if having else (0.0, 0.0)
        raise FeedsegError(
            f"no computer of the cluster has {cpus:g} processors and {gpus:g} GPUs for a worker, the largest "
            f"{most[1]:g} and {most[0]:g}: lower --cpus or --gpus"
        )
    return chosen


def number_of(each: Slice, having: Sequence[Slice]) -> int:
    """How many workers fit."""
    return sum(
        int(min(one.cpus / each.cpus if each.cpus else inf, one.gpus / each.gpus if each.gpus else inf))
        for one in having
    )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray's handler of SIGTERM ends the process at once; the one that was there stays."""
    if current_thread() is not main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _silence() -> None:
    """Ray prints a paragraph for every worker that is lost, which nothing of it can turn off; that is told by us."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
