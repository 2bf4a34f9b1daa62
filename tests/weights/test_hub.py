"""Models on the hub, against a hub on the loopback.

Every start is a process of its own, since the hub's library reads the environment when it is imported.
"""

import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import save

from feedseg.errors import FeedsegError
from feedseg.weights.checkpoint import find_checkpoint, load_weights
from hub_server import Answer, Break, HubServer, Request, reset

SCRIPT = """
import json, sys
from feedseg.errors import FeedsegError
from feedseg.weights.checkpoint import find_checkpoint
from feedseg.weights.hub import cached_revision

for source in sys.argv[2:]:
    repository, _, revision = source.partition("@")
    cached = cached_revision(repository, revision or None)
    try:
        found = find_checkpoint(source, tokenizer=sys.argv[1] == "tokenizer")
    except FeedsegError as error:
        print(json.dumps([cached, None, "", "", [], str(error)]))
    else:
        weights = [path.name for path in found.weights]
        print(json.dumps([cached, found.revision, found.repository, str(found.folder), weights, ""]))
assert "torch" not in sys.modules, "finding a model takes no torch"
"""
NOTHING: Mapping[str, str] = {}
OFFLINE = {"HF_HUB_OFFLINE": "1"}
TENSORS = {"a": torch.arange(4.0), "b": torch.ones(2)}
WEIGHTS = save(TENSORS)
MODEL = {"config.json": b"{}", "model.safetensors": WEIGHTS}
TOKENIZER = {"tokenizer.json": b"{1}", "vocab.json": b"{2}", "merges.txt": b"3", "tokenizer_config.json": b"{4}"}


class Found(NamedTuple):
    cached: str | None  # what cached_revision said before
    revision: str | None
    repository: str
    folder: Path
    weights: list[str]
    error: str

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


class Machine:
    """A user's machine: its cache, and the hub that it knows."""

    def __init__(self, home: Path, hub: HubServer) -> None:
        self.home = home
        self.hub = hub
        self.process: subprocess.Popen[str] | None = None

    def start(
        self,
        *sources: str,
        tokenizer: bool = False,
        environment: Mapping[str, str] = NOTHING,
        terminal: int = subprocess.PIPE,
    ) -> str:
        """Run the script; what it printed. What it said on standard error is in `errors`, or goes to `terminal`."""
        known = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.home), "HOME": str(self.home), "PATH": os.defpath}
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "tokenizer" if tokenizer else "", *sources],
            env={**known, **environment},
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )
        output, self.errors = self.process.communicate(timeout=60)
        return output

    def find(self, *sources: str, tokenizer: bool = False, environment: Mapping[str, str] = NOTHING) -> list[Found]:
        lines = self.start(*sources, tokenizer=tokenizer, environment=environment).splitlines()
        assert self.process is not None
        assert self.process.returncode == 0, self.errors
        found = [Found(*json.loads(line)) for line in lines]
        return [each._replace(folder=Path(each.folder)) for each in found]

    def find_one(self, source: str, tokenizer: bool = False, environment: Mapping[str, str] = NOTHING) -> Found:
        """A model that is found."""
        [found] = self.find(source, tokenizer=tokenizer, environment=environment)
        assert found.error == ""
        return found

    def complaint(self, source: str, environment: Mapping[str, str] = NOTHING) -> str:
        """What the user is told about a model that is not found: one line."""
        [found] = self.find(source, environment=environment)
        return one_line(found.error)


def one_line(text: str) -> str:
    assert text
    assert "\n" not in text
    return text


def fetched(requests: list[Request]) -> list[str]:
    """The files that were transferred."""
    return sorted(path.rpartition("/")[2] for method, path, _ in requests if method == "GET" and "/resolve/" in path)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path, hub: HubServer) -> Machine:
    return Machine(tmp_path / "home", hub)


def test_first_start_fetches_what_is_needed_and_later_ones_ask_nothing(machine: Machine, hub: HubServer) -> None:
    never = ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "onnx/model.safetensors", "README.md")
    configuration = {
        "preprocessor_config.json": b"{5}",
        "open_clip_config.json": b"{6}",
        "processor_config.json": b"{7}",
    }
    files = {**dict.fromkeys(never, b"of no use"), **MODEL, **configuration, **TOKENIZER}
    commit = hub.publish("owner/name", files)

    first = machine.find_one("owner/name")
    assert (first.cached, first.revision, first.repository) == (None, commit, "owner/name")
    assert first.weights == ["model.safetensors"]
    assert first.files == {*MODEL, *configuration} == set(fetched(hub.requests))
    assert all((first.folder / name).read_bytes() == files[name] for name in first.files)
    assert machine.errors == ""  # no progress bar where there is no terminal

    hub.publish("owner/name", {**files, "config.json": b"changed"})
    hub.requests.clear()
    again = machine.find_one("owner/name")
    assert again == first._replace(cached=commit)
    assert machine.find_one("owner/name", environment=OFFLINE) == again
    assert machine.find_one(f"owner/name@{commit}", environment=OFFLINE) == again
    assert hub.requests == []


def test_tokenizer_is_fetched_when_it_is_needed(machine: Machine, hub: HubServer) -> None:
    commit = hub.publish("owner/name", {**MODEL, **TOKENIZER})
    machine.find_one("owner/name")
    hub.requests.clear()
    found = machine.find_one("owner/name", tokenizer=True)
    assert (found.revision, found.files) == (commit, {*MODEL, *TOKENIZER})
    assert fetched(hub.requests) == sorted(TOKENIZER)
    hub.requests.clear()
    assert machine.find_one("owner/name", tokenizer=True) == found
    assert hub.requests == []


def test_revision_pins_branch_tag_or_commit(machine: Machine, hub: HubServer) -> None:
    old = hub.publish("owner/name", {**MODEL, "config.json": b'{"old": 1}'})
    tagged = hub.publish("owner/name", {**MODEL, "config.json": b'{"tagged": 1}'}, name="v1.0")
    new = hub.publish("owner/name", MODEL)
    pinned, tag, branch = machine.find(f"owner/name@{old}", "owner/name@v1.0", "owner/name")
    assert [pinned.revision, tag.revision, branch.revision] == [old, tagged, new]
    assert (pinned.folder / "config.json").read_bytes() == b'{"old": 1}'
    assert (tag.folder / "config.json").read_bytes() == b'{"tagged": 1}'
    offline = machine.find("owner/name@v1.0", "owner/name", environment=OFFLINE)
    assert [found.revision for found in offline] == [tagged, new]


def test_branch_that_moves_meanwhile_does_not_mix_commits(machine: Machine, hub: HubServer) -> None:
    commit = hub.publish("owner/name", MODEL)
    changed = {"config.json": b"new", "model.safetensors": b"new"}
    hub.on_request = lambda request: request.method == "HEAD" and hub.publish("owner/name", changed)
    found = machine.find_one("owner/name")
    assert found.revision == commit
    assert all((found.folder / name).read_bytes() == MODEL[name] for name in MODEL)
    assert machine.find_one("owner/name", environment=OFFLINE).revision == commit


def test_terminal_shows_the_progress(machine: Machine, hub: HubServer) -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    hub.publish("owner/name", MODEL)
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    assert '"model.safetensors"' in machine.start("owner/name", terminal=terminal)
    os.close(terminal)
    text = b""
    with suppress(OSError):  # which is how Linux ends it
        while block := os.read(screen, 4096):
            text += block
    os.close(screen)
    assert b"model.safetensors: 100%" in text


def test_broken_transfer_goes_on_where_it_broke(machine: Machine, hub: HubServer) -> None:
    content = os.urandom(11 << 20)
    hub.publish("owner/name", {**MODEL, "model.safetensors": content})
    hub.breaks["model.safetensors"] = Break(after=(10 << 20) + 4321)
    found = machine.find_one("owner/name")
    digest = hashlib.sha256((found.folder / "model.safetensors").read_bytes()).digest()
    assert digest == hashlib.sha256(content).digest()
    ranges = [request.range for request in hub.requests if request.path.endswith("model.safetensors")]
    assert ranges == [None, None, f"bytes={10 << 20}-"]  # HEAD, GET, and the rest after the last whole 10 MB


def test_half_a_file_counts_as_none(machine: Machine, hub: HubServer) -> None:
    commit = hub.publish("owner/name", MODEL)

    def kill(_: object) -> None:
        assert machine.process is not None
        machine.process.kill()
        machine.process.wait()

    hub.breaks["model.safetensors"] = Break(len(WEIGHTS) // 2, reset)
    assert "owner/name is not complete on this machine" in machine.complaint("owner/name")
    hub.breaks["model.safetensors"] = Break(len(WEIGHTS) // 2, kill)
    assert machine.start("owner/name") == ""
    assert list(machine.home.rglob("*.incomplete"))  # half a file is indeed there
    assert not list(machine.home.rglob("refs/main"))  # but no branch leads to what is not complete
    hub.requests.clear()
    assert "owner/name is not complete" in machine.complaint("owner/name", environment=OFFLINE)
    found = machine.find_one("owner/name")
    assert (found.cached, found.revision) == (None, commit)
    assert (found.folder / "model.safetensors").read_bytes() == WEIGHTS
    assert fetched(hub.requests) == ["model.safetensors"]  # what was finished is kept


def test_silent_hub_is_not_waited_for_for_ever(machine: Machine, hub: HubServer) -> None:
    hub.publish("owner/name", MODEL)
    enough = Event()
    hub.on_request = lambda request: request.path.startswith("/api/models/") and enough.wait(10)
    assert "timed out" in machine.complaint("owner/name", environment={"HF_HUB_ETAG_TIMEOUT": "1"})
    enough.set()


def test_refusals_say_what_to_do(machine: Machine, hub: HubServer) -> None:
    for name in ("name", "gated", "expired", "forbidden"):
        hub.publish(f"owner/{name}", MODEL)
    hub.publish("owner/flax", {"config.json": b"{}", "flax_model.msgpack": b""})
    hub.refusals["owner/gated"] = Answer(403, {"X-Error-Code": "GatedRepo"})
    hub.refusals["owner/expired"] = Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})
    hub.refusals["owner/forbidden"] = Answer(403, {})
    expected = {
        "owner/none": ("owner/none is no folder, and no model on the hub", "HF_TOKEN"),
        "owner/gated": ("owner/gated is gated", "hf auth login"),
        "owner/expired": ("the hub refuses owner/expired", "hf auth login"),
        "owner/forbidden": ("the hub refuses owner/forbidden", "hf auth login"),
        "owner/name@v9": ("owner/name has no revision 'v9'", "a branch, a tag or a commit"),
        "owner/flax": ("owner/flax has no weights", "it has config.json, flax_model.msgpack"),
        "owner/a..b": ("owner/a..b is not complete", "--model FOLDER"),
    }
    for (start, advice), found in zip(expected.values(), machine.find(*expected), strict=True):
        text = one_line(found.error)
        assert text.startswith(start)
        assert advice in text
    assert fetched(hub.requests) == []


def test_cache_that_cannot_be_written_is_named(machine: Machine, hub: HubServer) -> None:
    hub.publish("owner/name", MODEL)
    machine.home.write_text("a file where the cache's folder should be")
    text = machine.complaint("owner/name")
    assert f"cannot keep owner/name in {machine.home / 'hub'}" in text
    assert "HF_HOME" in text


def test_shards_are_fetched_and_what_goes_missing_later_is_noticed(machine: Machine, hub: HubServer) -> None:
    shards = {f"model-0000{n}-of-00002.safetensors": save({name: TENSORS[name]}) for n, name in enumerate("ab", 1)}
    weight_map = dict(zip("ab", shards, strict=True))
    index = {"model.safetensors.index.json": json.dumps({"weight_map": weight_map}).encode()}
    hub.publish("owner/name", {"config.json": b"{}", "pytorch_model.bin": b"", **index, **shards})
    found = machine.find_one("owner/name")
    assert found.weights == list(shards)
    tensors = load_weights(find_checkpoint(found.folder))
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)

    for lost in (found.folder / "config.json", found.folder / found.weights[1]):
        content = lost.read_bytes()
        lost.resolve().unlink()  # the link to it stays
        hub.requests.clear()
        assert machine.find_one("owner/name").cached is None
        assert fetched(hub.requests) == [lost.name]
        assert lost.read_bytes() == content


def test_pickled_weights_are_read_without_running_code(machine: Machine, hub: HubServer, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    for repository, content in {"owner/good": TENSORS, "owner/evil": {**TENSORS, "c": Trap()}}.items():
        torch.save(content, file := BytesIO())
        hub.publish(repository, {"config.json": b"{}", "pytorch_model.bin": file.getvalue(), "tf_model.h5": b""})
    good, evil = machine.find("owner/good", "owner/evil")
    assert good.weights == evil.weights == ["pytorch_model.bin"]
    tensors = load_weights(find_checkpoint(good.folder))
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    with pytest.raises(FeedsegError, match=r"pytorch_model\.bin .* not loaded"):
        load_weights(find_checkpoint(evil.folder))
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "sprung").exists()  # the trap works, so it was not sprung
