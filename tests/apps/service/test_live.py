"""The service as a process of its own: clients that leave, signals, workers that die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from feedseg import Segmentation, Vocabulary

WORDS = "striped, dotted, bricks"
Running = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """`running(*options)`: a service and its address."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "feedseg", "serve", "--model", "mini", "--port", str(port), *options]
        log = (tmp_path / "log").open("w")
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stderr=log, stdout=log, text=True, env=environment)
        started.append(process)
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(address))
        return process, address

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def ask(address: str, picture: bytes, **more: Any) -> httpx.Response:
    fields = {"words": WORDS, "background": "none"}
    return httpx.post(f"{address}/v1/segment", files={"image": picture}, data=fields, **{"timeout": 60, **more})


def test_a_signal_ends_it_when_what_was_accepted_is_answered(
    running: Running, pictures: list[bytes], tmp_path: Path
) -> None:
    process, address = running()
    with ThreadPoolExecutor(len(pictures)) as threads:
        asked = [threads.submit(ask, address, picture) for picture in pictures]
        until(lambda: any(one.done() for one in asked))
        process.send_signal(signal.SIGTERM)
        statuses = []
        for one in asked:
            try:
                statuses.append(one.result().status_code)
            except httpx.TransportError:  # it came when nobody listened any more: not accepted
                statuses.append(0)
    assert set(statuses) <= {0, 200}
    assert 200 in statuses
    assert process.wait(30) == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "striped" not in log


def test_clients_that_go_away_or_send_slowly_free_their_places(running: Running, pictures: list[bytes]) -> None:
    _, address = running("--queue", "2", "--seconds", "2")
    port = httpx.URL(address).port or 80
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]  # as many as it has places for
    until(lambda: answers(address))  # once they have been closed
    for one in silent:
        one.close()
    request = httpx.Request("POST", f"{address}/v1/segment", files={"image": pictures[0]}, data={"words": WORDS})
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    content = f"POST /v1/segment HTTP/1.1\r\n{lines}\r\n".encode() + request.read()
    for sent in (content, content, content, content[:-50], content[:-50]):
        with socket.create_connection((request.url.host, request.url.port or 80)) as client:
            client.sendall(sent)
    until(lambda: "feedseg_requests_now 0.0" in httpx.get(f"{address}/metrics").text)
    assert ask(address, pictures[1]).status_code == 200

    def slowly() -> Iterator[bytes]:
        yield b"{"
        time.sleep(3)
        yield b"}"

    found = httpx.post(f"{address}/v1/segment", content=slowly(), headers={"Content-Type": "application/json"})
    assert found.status_code == 408


def test_the_example_client_writes_the_labels(
    running: Running, pictures: list[bytes], library: Callable[..., Segmentation], tmp_path: Path, root: Path
) -> None:
    _, address = running()
    (tmp_path / "picture.png").write_bytes(pictures[0])
    command = [sys.executable, str(root / "examples/client.py"), "picture.png", WORDS, "labels.png", address]
    subprocess.run(command, cwd=tmp_path, check=True)
    expected = library(pictures[0], Vocabulary.parse_line(WORDS, "auto")).labels
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "labels.png")), expected)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is for POSIX systems")
def test_a_worker_that_is_killed_under_load_is_started_again_and_the_others_answer_on(
    running: Running, pictures: list[bytes], library: Callable[..., Segmentation]
) -> None:
    process, address = running("--workers", "2")
    expected = [library(picture).labels for picture in pictures]

    def asked(number: int) -> int:
        try:
            found = ask(address, pictures[number % 6], headers={"Accept": "image/png"})
        except httpx.TransportError:
            return 0
        if found.status_code == 200:
            labels = np.asarray(Image.open(BytesIO(found.content)))
            np.testing.assert_array_equal(labels, expected[number % 6])
        return found.status_code

    def workers() -> list[psutil.Process]:
        found = []
        for one in psutil.Process(process.pid).children():
            with suppress(psutil.Error):  # it has died just now
                found += [one] * ("spawn_main" in " ".join(one.cmdline()))
        return found

    with ThreadPoolExecutor(4) as threads:
        statuses = [threads.submit(asked, number) for number in range(60)]
        until(lambda: sum(one.done() for one in statuses) > 6)
        (victim, *_) = workers()
        victim.kill()
        found = [one.result() for one in statuses]
    assert set(found) <= {0, 200, 503}  # 503: started again, and still loading
    assert found.count(200) > 30
    until(lambda: victim.pid not in [one.pid for one in workers()] and len(workers()) == 2)
    until(lambda: asked(0) == 200)
