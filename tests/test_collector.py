"""What the collector of cycles is kept from, and that it works otherwise."""

import gc
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from feedseg.collector import lasting_imports


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As it was before, whatever a test does to it."""
    yield
    gc.enable()
    gc.unfreeze()


def test_what_is_imported_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    with lasting_imports():
        assert not gc.isenabled()
        monkeypatch.setitem(sys.modules, "imported_now", ModuleType("imported_now"))
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_where_nothing_new_is_imported_nothing_is_kept() -> None:
    with lasting_imports():
        import json  # noqa: F401 -- is there already
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), lasting_imports():
        import no_such_module  # noqa: F401  # pyright: ignore[reportMissingImports]
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    with lasting_imports():
        pass
    assert not gc.isenabled()
