"""Running the application with uvicorn, in one process or several."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import asdict
from typing import TYPE_CHECKING

from feedseg.apps.limits import Limits
from feedseg.apps.service.app import Service, create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

_VARIABLE = "_FEEDSEG_SERVICE"  # how the service's processes learn what they serve


def serve(service: Service, address: str, port: int, workers: int, access_log: bool) -> None:
    """Serve until a signal ends it; what was accepted is finished first.

    Several workers are processes, each with its own models, cache and limits; one that dies is started again.
    """
    import uvicorn

    os.environ[_VARIABLE] = json.dumps(asdict(service))
    uvicorn.run(
        f"{__name__}:from_environment",
        factory=True,
        host=address,
        port=port,
        workers=workers,
        access_log=access_log,  # addresses and paths, which hold neither pictures nor words
        log_level="info",
        timeout_graceful_shutdown=int(service.limits.seconds) + 1,
        server_header=False,
        http="feedseg.apps.service.connections:TimedProtocol",
        limit_concurrency=4 * service.limits.queue,  # connections; uvicorn itself sends others away, with 503
    )


def from_environment() -> FastAPI:
    """The application of a process that `serve` has started."""
    import torch

    warnings.simplefilter("ignore", UserWarning)  # they name words and pictures, which are nobody's business
    content = json.loads(os.environ[_VARIABLE])
    limits = Limits(**content.pop("limits"))
    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    return create_app(Service(models=tuple(content.pop("models")), limits=limits, **content))
