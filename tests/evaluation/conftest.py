"""A small data set that evaluations measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from measuring import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TOML file of four drawn scenes."""
    return write_dataset(tmp_path_factory.mktemp("photos"))
