"""The memory that a window takes, told before it is encoded.

The figures are of fp32 on a CPU; `benchmarks/needed.py` compares them with what is measured.
"""

from __future__ import annotations

from math import inf
from pathlib import Path

import torch

from feedseg.errors import FeedsegError
from feedseg.vision.hosts.base import Host

SMALL = 2**30  # bytes, below which nobody looks how much there is
PROCESS = 300e6  # bytes that a process takes beside its weights
TOKENS = 16  # so many copies of the tower's tokens are there at a time
_CGROUP = Path("/sys/fs/cgroup")


def window_bytes(patches: int, width: int, heads: int, host: Host, bytes_each: int = 4) -> float:
    """About the most bytes that one window takes beside the weights.

    Args:
        patches: N, on the host's grid.
        width: of the tower.
        heads: of the tower.
        host: whose attentions are held.
        bytes_each: of a number.
    """
    shared, of_each_head = host.matrices
    return (patches**2 * (shared + of_each_head * heads) + patches * width * TOKENS) * bytes_each


def free_bytes(device: torch.device) -> float:
    """What can still be had of a device's memory, infinite where that is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min(_of_machine(), _of_group()) if device.type == "cpu" else inf


def check_fits(needed: float, device: torch.device, sides: tuple[int, int]) -> None:
    """Raises FeedsegError where a window of these sides (height, width) needs more than there is."""
    if needed <= SMALL or needed <= (free := free_bytes(device)):
        return
    height, width = sides
    raise FeedsegError(
        f"{width} × {height} pixels at a time take about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are "
        "free: take a smaller --short-side, or cut windows with --window"
    )


def check_all(needed: float, device: torch.device, what: str, advice: str) -> None:
    """Raises FeedsegError where something that is kept for a whole image or run needs more than there is."""
    if needed > SMALL and needed > (free := free_bytes(device)):
        raise FeedsegError(
            f"{what} take about {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free: {advice}"
        )


def check_processes(number: int, model: torch.nn.Module) -> None:
    """Raises FeedsegError where so many processes, each with a model of its own, would not fit into the memory."""
    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    of_each = PROCESS if next(model.parameters()).device.type != "cpu" else PROCESS + weights
    check_all(number * of_each, torch.device("cpu"), f"{number} processes", "take fewer --shards")


def _of_machine() -> float:
    """Linux's own estimate of what can be had without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):  # another system
        return inf


def _of_group(group: Path = _CGROUP) -> float:
    """What a container may still take."""
    try:
        most, now = ((group / f"memory.{name}").read_text(encoding="ascii").strip() for name in ("max", "current"))
        return inf if most == "max" else max(0, int(most) - int(now))
    except (OSError, ValueError):
        return inf
