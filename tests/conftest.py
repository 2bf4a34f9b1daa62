"""What every test starts from, and the helpers that tests share as fixtures.

Tests run in one thread, since they share the machine; FEEDSEG_TEST_THREADS chooses another number. Nothing touches the
user's caches, nor another computer: only the loopback answers. Helpers are imported when they are first asked for, so
that a test without a model stays quick.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import torch
from hypothesis import settings

import no_network
import paths

if TYPE_CHECKING:
    import numpy as np

    from hub_server import HubServer

# The same examples every time: a test that fails has to fail again. For others: --hypothesis-profile=default.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=20_000, deadline=None)  # what is damaged, for hours
settings.load_profile("steady")

THREADS = int(os.environ.get("FEEDSEG_TEST_THREADS", "1"))

# A shell starts what runs in its background with interrupts ignored, and so would be all processes that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class MakesFolder(Protocol):
    """Saves a tiny random model with these options and returns its folder; the same options, the same folder."""

    def __call__(self, *arguments: Any, **options: Any) -> Path: ...


@pytest.fixture(autouse=True, scope="session")
def _threads() -> None:
    torch.set_num_threads(THREADS)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Python processes that tests start are blocked through their PYTHONPATH, unless a test gives them another."""
    with pytest.MonkeyPatch.context() as patch:
        no_network.block(patch.setattr)
        for name, value in no_network.variables().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return paths.ROOT


@pytest.fixture
def shared() -> Path:
    """The reference vectors, photographs and protocols beside the repository; the test is skipped without them."""
    if not paths.SHARED.is_dir():
        pytest.skip(f"{paths.SHARED} is not there")
    return paths.SHARED


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> MakesFolder:
    """`tiny_clip(**vision)`: the folder of a random CLIP with its tokenizer, as transformers saves it."""
    import tiny_models

    return _saved(tmp_path_factory, "clip", tiny_models.save_clip)


@pytest.fixture(scope="session")
def tiny_proxy(tmp_path_factory: pytest.TempPathFactory) -> MakesFolder:
    """`tiny_proxy(family, **changes)`: the folder of a random encoder; families as in `tiny_models.PROXIES`."""
    import tiny_models

    return _saved(tmp_path_factory, "proxy", tiny_models.save_proxy)


@pytest.fixture(scope="session")
def tiny_aligned(tmp_path_factory: pytest.TempPathFactory) -> MakesFolder:
    """`tiny_aligned(words=…, registers=0)`: the folder of a random DINOv2 with a projection, words and a manifest."""
    import tiny_models

    return _saved(tmp_path_factory, "aligned", tiny_models.save_aligned)


def _saved(factory: pytest.TempPathFactory, name: str, save: Callable[..., object]) -> MakesFolder:
    made: dict[str, Path] = {}

    def folder(*arguments: Any, **options: Any) -> Path:
        key = repr((arguments, sorted(options.items())))
        if key not in made:
            made[key] = factory.mktemp(name)
            save(made[key], *arguments, **options)
        return made[key]

    return folder


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    """A Hugging Face hub on the loopback: `publish` files, use `url` as HF_ENDPOINT, look at `requests`."""
    from hub_server import HubServer

    with HubServer() as server:
        yield server


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Callable[[str], tuple[Path, dict[str, np.ndarray]]]:
    """`tiny_dataset(name)`: a miniature copy of a benchmark; its root, and every mask's values by id."""
    from tiny_datasets import draw

    numbers = count()
    return lambda name: draw(name, tmp_path / f"dataset-{next(numbers)}")


@pytest.fixture
def perturbed() -> Callable[..., torch.Tensor]:
    """`perturbed(tensor, seed=0)`: every number moved by one unit in the last place; see `perturb.py`."""
    from perturb import perturbed

    return perturbed


@pytest.fixture
def movement() -> Callable[..., float]:
    """`movement(compute, inputs, times=3)`: the largest change of a result when its inputs are perturbed."""
    from perturb import movement

    return movement


@pytest.fixture
def file_size_limit() -> Callable[[int], None]:
    """`file_size_limit(n)`: until the test's body ends no file can grow beyond n bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    return lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """A limit ends with the test's body: pytest's own output may go to a file, and fixtures end after it is written."""
    try:
        import resource
    except ImportError:  # Windows
        return (yield)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
