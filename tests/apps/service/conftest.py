"""A service of the bundled toy model, drawn images for it, and what the library says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from feedseg import Segmentation, Segmenter
from feedseg.apps.limits import Limits
from feedseg.apps.service.app import Service, create_app

WORDS = "striped, dotted, bricks"


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """Six images of blocks of random colours, of different sizes, as PNG files."""
    files = []
    for number in range(6):
        colours = np.random.default_rng(number).integers(0, 256, (6, 5, 3), np.uint8)
        image = Image.fromarray(colours).resize((100 + number, 90 + 2 * number), Image.Resampling.NEAREST)
        file = BytesIO()
        image.save(file, "PNG")
        files.append(file.getvalue())
    return files


@pytest.fixture(scope="session")
def library() -> Callable[..., Segmentation]:
    """`library(picture, words, …)`: what the library says of the same bytes."""
    segmenter = Segmenter.load("mini")

    def run(picture: bytes, words: Any = WORDS, **options: Any) -> Segmentation:
        return segmenter(Image.open(BytesIO(picture)), words, **options)

    return run


@pytest.fixture
def served() -> Iterator[Callable[..., TestClient]]:
    """`served(token=…, **limits)`: a client of a service in this process, which is ready."""
    clients: list[TestClient] = []

    def start(token: str | None = None, **limits: Any) -> TestClient:
        client = TestClient(
            create_app(Service(("mini",), "cpu", Limits(**limits), token)), raise_server_exceptions=False
        )
        client.__enter__()
        clients.append(client)
        while client.get("/readyz").status_code != 200:
            pass
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
