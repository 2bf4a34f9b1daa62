"""What holds for every registered writer."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.decoders import BY_SUFFIX
from feedseg.io.writers import WRITERS, suffixes
from feedseg.io.writers.base import Writer
from feedseg.segmentation import Segmentation


def test_the_formats_there_are() -> None:
    assert {"json", "labels", "overlay"} <= set(WRITERS.names())
    assert {".labels.json", ".labels.png", ".overlay.jpg"} <= set(suffixes())


@pytest.mark.parametrize("name", WRITERS.names())
def test_a_writer_says_what_it_is_and_encodes_the_same_to_the_same(
    name: str, segmented: Callable[..., Segmentation]
) -> None:
    writer = WRITERS.load(name)
    assert writer.name == name
    assert writer.description
    assert writer.suffix.startswith(".")
    assert writer.suffix not in BY_SUFFIX, "results would be all images of a folder"
    assert writer.needs <= {"image", "confidence", "scores"}
    result = segmented(scores=np.ones((4, 1, 2)) / 4)
    files = writer.files(result)
    assert files == writer.files(segmented(scores=result.scores))
    assert files.keys() <= {*writer.suffixes(result.names)}
    assert all(suffix.endswith(writer.suffix) for suffix in files)


def test_suffixes_differ() -> None:
    assert len(set(suffixes())) == len(suffixes())


def test_listing_suffixes_imports_nothing_heavy() -> None:
    program = "import sys; from feedseg.io.writers import suffixes; suffixes(); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_writer_of_ones_own_that_writes_nothing_is_told_so(segmented: Callable[..., Segmentation], tmp_path) -> None:
    class Empty(Writer):
        name, suffix, description = "empty", ".empty.txt", "nothing"

    with pytest.raises(FeedsegError, match="the writer Empty has neither encode nor files"):
        segmented().save(tmp_path, "x", formats=[Empty()])
    assert not list(tmp_path.iterdir())
