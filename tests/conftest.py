"""What every test starts from: one thread, since the tests share the machine, and nothing of the user's caches."""

import pytest
import torch
from hypothesis import settings

# The same examples every time: a test that fails has to fail again. For others: --hypothesis-profile=default.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
