"""Many clients at a time against `feedseg serve` on this machine: is every answer right, and does it hold?

    python benchmarks/load.py [--minutes 10] [--clients 200] [--model mini] [--workers 1] [--json FILE]

Starts a service on a free local port, asks it one request at a time and then with many clients at once, each
with images and words of its own, and compares every answer with what the library says. Prints latencies, throughput,
and the service's memory over time; exit code 1 if an answer is wrong or lost, or the memory grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count, product
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image

from feedseg import Segmenter

VOCABULARIES = {
    "mini": ("striped, dotted, bricks", "netted, marbled", "checked, zigzag, scaly, dotted"),
    "photo": ("dog, cat, grass", "person, car, road; street", "bird, tree"),
}
IMAGES = 24
ALONE = 0.1  # part of the time that one request at a time is measured
GROWTH = 1.1  # of the memory, from the first third under load to the last, that is still called flat
SECONDS = 120  # of a request


@dataclass
class Seen:
    """What a phase saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    lasted: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Figures."""
        p50, p95, p99 = np.percentile(self.seconds, [50, 95, 99]) if self.seconds else [float("nan")] * 3
        return {
            "requests": sum(self.statuses.values()),
            "statuses": dict(self.statuses),
            "wrong": self.wrong,
            "per_second": len(self.seconds) / self.lasted,
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }


@dataclass(frozen=True)
class Case:
    """A request and its right answer."""

    picture: bytes
    words: str
    labels: np.ndarray


def cases(model: str) -> list[Case]:
    """Images of blocks of random colours, each with several vocabularies."""
    segmenter, found = Segmenter.load(model), []
    for number, words in product(range(IMAGES), VOCABULARIES[model]):
        colours = np.random.default_rng(number).integers(0, 256, (7, 6, 3), np.uint8)
        image = Image.fromarray(colours).resize((120 + number, 100 + 2 * number), Image.Resampling.NEAREST)
        file = BytesIO()
        image.save(file, "PNG")
        found.append(Case(file.getvalue(), words, segmenter(image, words).labels))
    return found


async def ask(client: httpx.AsyncClient, case: Case, seen: Seen) -> None:
    """One request; one that is sent away is sent again when the service says so."""
    while True:
        started = time.perf_counter()
        try:
            found = await client.post(
                "/v1/segment",
                files={"image": case.picture},
                data={"words": case.words, "background": "none"},
                headers={"Accept": "image/png"},
            )
        except httpx.HTTPError as error:
            seen.statuses[type(error).__name__] += 1
            return
        seen.statuses[str(found.status_code)] += 1
        if found.status_code in (429, 503):
            await asyncio.sleep(float(found.headers.get("retry-after", 1)))
            continue
        if found.status_code == 200:
            seen.seconds.append(time.perf_counter() - started)
            seen.wrong += not np.array_equal(np.asarray(Image.open(BytesIO(found.content))), case.labels)
        return


async def phase(address: str, todo: list[Case], clients: int, seconds: float) -> Seen:
    """Ask for some time with so many clients, each of which waits for its answer."""
    seen, numbers, start = Seen(), count(), time.perf_counter()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=SECONDS, limits=limits) as client:

        async def one() -> None:
            while time.perf_counter() - start < seconds:
                await ask(client, todo[next(numbers) * 7 % len(todo)], seen)

        await asyncio.gather(*(one() for _ in range(clients)))
    seen.lasted = time.perf_counter() - start
    return seen


async def memory(process: psutil.Process, every: float, found: list[int]) -> None:
    """Note the bytes of the service and its workers, until it is cancelled."""
    while True:
        found.append(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))))
        await asyncio.sleep(every)


def start(model: str, workers: int, clients: int) -> tuple[subprocess.Popen[bytes], str]:
    """A service that is ready, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--model", model, "--port", str(port), "--workers", str(workers), "--queue", str(max(64, clients))]
    process = subprocess.Popen(
        [sys.executable, "-m", "feedseg", "serve", *options, "--seconds", str(SECONDS), "--cache-megabytes", "64"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if httpx.get(f"{address}/readyz", timeout=5).status_code == 200:
                return process, address
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit("the service did not start")


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Both phases."""
    todo = cases(options.model)
    process, address = start(options.model, options.workers, options.clients)
    try:
        await phase(address, todo, 1, 2)  # the texts' embeddings, once
        alone = await phase(address, todo, 1, 60 * options.minutes * ALONE)
        bytes_used: list[int] = []
        watching = asyncio.create_task(memory(psutil.Process(process.pid), 1, bytes_used))
        many = await phase(address, todo, options.clients, 60 * options.minutes)
        watching.cancel()
    finally:
        process.terminate()
        code = process.wait(SECONDS)
    third = max(1, len(bytes_used) // 3)
    return {
        "model": options.model,
        "clients": options.clients,
        "minutes": options.minutes,
        "workers": options.workers,
        "one at a time": alone.to_json(),
        "at once": many.to_json(),
        "memory, MB": {
            "first third": max(bytes_used[:third]) / 1e6,
            "last third": max(bytes_used[-third:]) / 1e6,
        },
        "exit code": code,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--model", choices=VOCABULARIES, default="mini")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = asyncio.run(measured(options))
    text = json.dumps(found, indent=2)
    if options.json:
        options.json.write_text(text)
    print(text)
    many, used = found["at once"], found["memory, MB"]
    lost = set(many["statuses"]) - {"200", "429", "503"}
    faults = [
        *([f"{many['wrong']} wrong answers"] if many["wrong"] else []),
        *([f"lost: {', '.join(sorted(lost))}"] if lost else []),
        *(["the memory grows"] if used["last third"] > GROWTH * used["first third"] else []),
        *([f"it ended with {found['exit code']}"] if found["exit code"] else []),
    ]
    print("; ".join(faults) or "every answer is right, none is lost, the memory is flat")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
