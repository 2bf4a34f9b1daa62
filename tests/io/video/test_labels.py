"""Labels as a video: every one of them comes back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from feedseg.errors import FeedsegError
from feedseg.io.video.labels import LabelsVideo, join_labels, read_labels

av = pytest.importorskip("av")


@pytest.mark.parametrize(("kind", "classes"), [(np.uint8, 256), (np.uint16, 60_000)])
def test_every_label_comes_back(tmp_path: Path, kind: type, classes: int) -> None:
    drawn = [np.random.default_rng(seed).integers(0, classes, (37, 51)).astype(kind) for seed in range(7)]
    times = [Fraction(number, 30) for number in range(7)]
    last = -1
    for part in (0, 1):
        with LabelsVideo(tmp_path / f"{part}.mkv", last) as out:
            for number in range(part * 4, min(part * 4 + 4, 7)):
                out.add(drawn[number], times[number])
            last = out.last
    join_labels([tmp_path / "0.mkv", tmp_path / "1.mkv"], tmp_path / "both.mkv")
    found = list(read_labels(tmp_path / "both.mkv"))
    assert [time for time, _ in found] == pytest.approx([float(time) for time in times], abs=0.0006)
    for (_, labels), expected in zip(found, drawn, strict=True):
        assert labels.dtype == kind
        np.testing.assert_array_equal(labels, expected)


def test_what_is_no_such_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mkv").write_bytes(b"nothing")
    with pytest.raises(FeedsegError, match=r"a\.mkv cannot be read as a video of labels"):
        list(read_labels(tmp_path / "a.mkv"))
