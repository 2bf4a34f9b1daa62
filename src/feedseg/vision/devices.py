"""Where to compute and with which numbers."""

from __future__ import annotations

import torch

from feedseg.errors import FeedsegError, brief, first_line

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, Apple's MPS, the CPU."""
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not isinstance(device, (str, torch.device)):
        raise FeedsegError(f"a device is a name such as 'cpu' or 'cuda', not {brief(device)}")
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()  # "meta" has no numbers to give
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = first_line(error).split(". ")[0][:200]  # torch's own may go on for a page
        raise FeedsegError(f"the device {brief(str(device))} cannot be used here: {reason}") from error
    return chosen


def device_of_worker(wanted: str | None, number: int) -> str | None:
    """The device of the number-th of several processes: on CUDA one of its own, or a shared one where there are fewer.

    `wanted` as in `choose_device`; what names one device stays.
    """
    if not (wanted == "cuda" or (wanted is None and torch.cuda.is_available())):
        return wanted
    return f"cuda:{(number - 1) % max(1, torch.cuda.device_count())}"


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The number type asked for, or fp16 on CUDA (which keeps more digits than bf16) and fp32 elsewhere."""
    if dtype is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if isinstance(dtype, torch.dtype):
        if dtype not in DTYPES.values():
            raise FeedsegError(f"the type {dtype} is none of {', '.join(DTYPES)}")
        return dtype
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise FeedsegError(f"the type {brief(dtype)} is none of {', '.join(DTYPES)}")
    return DTYPES[dtype]
