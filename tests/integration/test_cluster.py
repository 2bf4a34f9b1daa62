"""A real Ray cluster of three computers, all of them this one: what is lost in it is done again, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from feedseg import Segmenter, Vocabulary
from feedseg.apps.cli.main import main
from feedseg.engine import cluster_connection
from feedseg.engine.cluster import Cluster
from feedseg.engine.cluster_connection import ALONE, QUIET, Slice, check_answers, chosen_slice, joined, number_of
from feedseg.engine.outcomes import Done, Failed
from feedseg.errors import FeedsegError
from feedseg.evaluation.datasets.benchmarks import load_benchmark
from feedseg.evaluation.datasets.samples import find_samples
from feedseg.io.table import labels_of

# Not imported yet: it reads some of its environment then.
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed, or not made for this Python")
dataset = pytest.importorskip("pyarrow.dataset")

WORDS = "striped, dotted, bricks"
IMAGES = 20
PATIENCE = 300.0  # seconds, on a computer that does much else
MODULE = '''
"""Work for workers, and a refiner that lets images pass when the test wants it."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from feedseg.decode.refiners.base import Refiner
from feedseg.engine.task import Task
from feedseg.errors import FeedsegError


@dataclass(frozen=True)
class Gate(Refiner):
    """Each image takes one of the files "pass-…", or waits for one, or for "open"."""

    def __call__(self, scores, image):
        folder = Path(os.environ["FEEDSEG_TEST_GATE"])
        while not (folder / "open").exists():
            for one in sorted(folder.glob("pass-*")):
                with suppress(FileNotFoundError):
                    one.unlink()
                    return scores
            time.sleep(0.02)
        return scores


class Double(Task):
    def process(self, loaded):
        for item in loaded:
            if item == "exit":
                os._exit(3)
            if item == "broken":
                raise IndexError("7")
            if isinstance(item, Path):  # a worker ends there once
                if not item.exists():
                    item.touch()
                    os._exit(4)
                yield "twice"
            else:
                yield 2 * item


def build(shard):
    return Double()


def build_never(shard):
    raise FeedsegError("there is no model")
'''


@dataclass(frozen=True)
class Computers:
    """The cluster."""

    address: str
    own: Any
    work: ModuleType
    gate: Path

    def let_pass(self, number: int) -> None:
        for one in range(number):
            (self.gate / f"pass-{time.monotonic_ns()}-{one}").touch()


@pytest.fixture(scope="module")
def computers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Computers]:
    folder, gate = tmp_path_factory.mktemp("importable"), tmp_path_factory.mktemp("gate")
    (folder / "work_on_a_cluster.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUIET, **ALONE, "FEEDSEG_TEST_GATE": str(gate), "OMP_NUM_THREADS": "1"}.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.syspath_prepend(str(folder))
        from ray.cluster_utils import Cluster as LocalCluster

        store = {"object_store_memory": 80 * 2**20}
        head = {"num_cpus": 0, "include_dashboard": False, **store}
        cluster: Any = LocalCluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, **store)
            yield Computers(str(cluster.address), cluster, import_module("work_on_a_cluster"), gate)
        finally:
            cluster.shutdown()
            sys.modules.pop("work_on_a_cluster", None)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn scenes, and a file that is no image."""
    folder = tmp_path_factory.mktemp("photos")
    for number, sample in enumerate(find_samples(load_benchmark("scenes", None), None, IMAGES)):
        Image.fromarray(sample.read()[0].pixels[:96, :96]).save(folder / f"{number:02d}.png")
    (folder / "bad.png").write_text("no image")
    return folder


def rows_of(table: Path) -> list[dict[str, Any]]:
    return dataset.dataset(table).to_table().to_pylist()


def parts_of(table: Path) -> int:
    return len(list(table.glob("part-*.parquet")))


def after_interrupt(outcomes: Generator[Any, None, None]) -> Iterator[Any]:
    """What still comes; in the end it is interrupted."""
    try:
        yield outcomes.throw(KeyboardInterrupt())
        yield from outcomes
    except KeyboardInterrupt:
        return
    pytest.fail("the interrupt got lost")


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_every_item_has_one_outcome_whatever_becomes_of_workers(computers: Computers, tmp_path: Path) -> None:
    told: list[str] = []
    items = [*range(40), "exit", "broken", tmp_path / "once", *range(40, 80)]
    with joined(computers.address), Cluster(computers.work.build, 2, on_lost=told.append) as cluster:
        outcomes = list(cluster.map(items))
        assert sorted(map(str, items)) == sorted(str(outcome.item) for outcome in outcomes)
        assert {one.item: one.result for one in outcomes if isinstance(one, Done)} == {
            **{number: 2 * number for number in range(80)},
            tmp_path / "once": "twice",
        }
        assert {one.item: one.reason for one in outcomes if isinstance(one, Failed)} == {
            "exit": "the worker that had it alone ended early, 3 times",
            "broken": "unexpected IndexError: 7",
        }
        assert 4 <= len(told) <= 5
        assert all(line.endswith("ended early; another one goes on") for line in told)
        assert list(cluster.map([])) == []
        stream = cluster.map(range(1000))
        first = next(stream)
        rest = list(after_interrupt(stream))
        assert len({one.item for one in [first, *rest]}) == 1 + len(rest) < 1000


def test_a_task_that_cannot_be_built_is_told_and_ends_the_run(computers: Computers) -> None:
    told: list[str] = []
    with joined(computers.address), Cluster(computers.work.build_never, 1, on_lost=told.append) as cluster:
        assert list(cluster.map([1, 2])) == []
    assert told == ["worker 1/1 there is no model"]


def test_a_table_is_the_same_after_the_loss_of_driver_and_computer(
    computers: Computers, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table"
    words = ("--labels", WORDS, "--model", "mini", "--refiner", "work_on_a_cluster:Gate")
    command = ["batch", str(photos), "--out", str(table), *words, "--part", "2", "--cpus", "1"]
    command += ["--address", computers.address]

    computers.let_pass(6)
    driver = subprocess.Popen([sys.executable, "-m", "feedseg", *command], stdout=subprocess.DEVNULL)
    wait_for(lambda: parts_of(table) >= 1)
    assert driver.poll() is None
    driver.kill()
    driver.wait()
    before = parts_of(table)

    def lose_a_computer() -> None:
        while parts_of(table) == before:
            computers.let_pass(1)  # one at a time, as workers of the first driver may still take some
            time.sleep(0.2)
        computers.own.remove_node(next(iter(computers.own.worker_nodes)), allow_graceful=False)
        (computers.gate / "open").touch()

    other = Thread(target=lose_a_computer)
    other.start()
    code = main(command)
    other.join()
    said = capfd.readouterr()
    assert code == 1  # as one image is none
    assert "bad.png is not an image" in said.err
    assert "ray" not in (said.out + said.err).lower().replace("grey", "")
    (failure,) = map(json.loads, (table / "_failed.jsonl").read_text().splitlines())
    assert failure["image"] == str(photos / "bad.png")

    rows = rows_of(table)
    assert sorted(row["key"] for row in rows) == [str(photos / f"{number:02d}.png") for number in range(IMAGES)]
    segmenter, vocabulary = Segmenter.load("mini"), Vocabulary(WORDS.split(", "), background="auto")
    for row in rows:
        result = segmenter(row["key"], vocabulary)
        np.testing.assert_array_equal(labels_of(row), result.labels)
        assert row["confidence"] == pytest.approx(result.mean_confidence, abs=1e-6)

    (photos / "bad.png").unlink()
    command = command[:-2]  # as nothing is missing, no cluster is needed
    assert main(command) == 0
    assert f"{IMAGES} of {IMAGES} done before" in capfd.readouterr().out
    assert not (table / "_failed.jsonl").exists()
    assert main([*command, "--threshold", "0.3"]) == 2
    assert "threshold was 0.0, now 0.3; give another --out, or --overwrite" in capfd.readouterr().err


def test_a_terminated_driver_leaves_what_it_has_and_says_so(computers: Computers, photos: Path, tmp_path: Path) -> None:
    (computers.gate / "open").unlink(missing_ok=True)
    computers.let_pass(6)
    words = ("--labels", WORDS, "--model", "mini", "--refiner", "work_on_a_cluster:Gate")
    command = ["batch", str(photos), "--out", "table", *words, "--part", "2", "--workers", "1", "--cpus", "1"]
    program = [sys.executable, "-m", "feedseg", *command, "--address", computers.address]
    driver = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    wait_for(lambda: parts_of(tmp_path / "table") >= 1 or driver.poll() is not None)
    driver.terminate()
    _, said = driver.communicate(timeout=PATIENCE)
    (computers.gate / "open").touch()
    assert driver.returncode == 143
    assert said.splitlines()[-1].startswith("feedseg: terminated; ")
    assert said.splitlines()[-1].endswith(f" of {IMAGES} images are finished: the same command goes on")
    assert f"{len(rows_of(tmp_path / 'table'))} of {IMAGES}" in said


@pytest.mark.usefixtures("computers")  # so that Ray is first imported there
def test_other_formats_go_beside_the_table_and_evaluation_counts_the_same(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both on Ray as it is started where no cluster is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "few").mkdir()
    for number in range(3):
        (tmp_path / "few" / f"{number}.png").write_bytes((photos / f"{number:02d}.png").read_bytes())
    words = ["--labels", WORDS, "--model", "mini"]
    assert main(["segment", "few", *words, "--out", "plain", "--format", "coco", "--format", "labels"]) == 0
    command = ["batch", "few", *words, "--out", "table", "--format", "coco", "--format", "labels", "--workers", "1"]
    measure = ["evaluate", "scenes", "--model", "mini", "--limit", "4", "--feedback", "none,paper"]
    assert main([*measure, "--out", "here"]) == 0
    with joined():
        assert main(command) == 0
        assert main([*measure, "--out", "there", "--ray"]) == 0
    made = {path.name: path.read_bytes() for path in (tmp_path / "table").glob("*") if path.is_file()}
    plain = {path.name: path.read_bytes() for path in (tmp_path / "plain").glob("*") if path.is_file()}
    assert {name for name in made if not name.startswith(("part-", "_"))} == {*plain}
    assert all(made[name] == plain[name] for name in plain if not name.endswith(".json"))
    assert json.loads(made["coco.json"])["annotations"] == json.loads(plain["coco.json"])["annotations"]

    counted = [
        {
            json.dumps(line["item"]): {name: sorted(rows) for name, rows in line["result"]["pixels"].items()}
            for line in map(json.loads, Path(out, "scenes", "images.jsonl").read_text().splitlines()[1:])
        }
        for out in ("here", "there")
    ]
    assert counted[0] == counted[1]
    assert len(counted[0]) == 4


def test_what_else_answers_is_no_cluster() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.timeout = PATIENCE
        Thread(target=server.handle_request).start()
        with pytest.raises(
            FeedsegError, match=rf"what answers at 127\.0\.0\.1:{server.server_port} is no head of a Ray"
        ):
            check_answers(f"127.0.0.1:{server.server_port}")


def test_slices_are_as_asked_or_what_there_is() -> None:
    laptop, servers = [Slice(2, 0)], [Slice(16, 4), Slice(16, 4), Slice(8, 0)]
    assert chosen_slice(None, None, laptop) == Slice(2, 0)
    assert number_of(Slice(2, 0), laptop) == 1
    assert chosen_slice(None, None, servers) == Slice(1, 1)
    assert number_of(Slice(1, 1), servers) == 8
    assert number_of(chosen_slice(None, 0.5, servers), servers) == 16
    assert number_of(chosen_slice(3, 0, servers), servers) == 5 + 5 + 2
    with pytest.raises(FeedsegError, match="no computer of the cluster has 9 processors and 0 GPUs for a worker"):
        chosen_slice(9, None, laptop)


@pytest.mark.parametrize(
    "address", ["ray://head:10001", "head", "head:port", ":6379", "127.0.0.1:1", "127.0.0.1:99999"]
)
def test_an_address_where_no_cluster_answers_is_told_at_once(address: str) -> None:
    with pytest.raises(
        FeedsegError, match=r"host:port of a Ray cluster's head|no Ray cluster answers at 127\.0\.0\.1:"
    ):
        check_answers(address)


def test_errors_are_one_line(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def complaint(*arguments: object) -> str:
        words = [] if "evaluate" in arguments else ["--labels", WORDS]
        assert main([*map(str, arguments), *words, "--model", "mini"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    table = tmp_path / "table"
    assert "no Ray cluster answers" in complaint("batch", photos, "--out", table, "--address", "127.0.0.1:1")
    assert "nowhere does not exist" in complaint("batch", tmp_path / "nowhere", "--out", table)
    assert "--format needs a folder" in complaint("batch", photos, "--out", "memory://a/b", "--format", "coco")
    assert "add --ray" in complaint("evaluate", "scenes", "--address", "127.0.0.1:1")
    (tmp_path / "plain" / ".feedseg").mkdir(parents=True)
    (tmp_path / "plain" / ".feedseg" / "run.jsonl").touch()
    assert "holds results of feedseg segment" in complaint("batch", photos, "--out", tmp_path / "plain")
    monkeypatch.setattr(cluster_connection, "find_spec", lambda name: None)
    assert complaint("batch", photos, "--out", table).endswith("this needs Ray: pip install 'feedseg[ray]'")
    assert complaint("evaluate", "scenes", "--ray").endswith("this needs Ray: pip install 'feedseg[ray]'")
