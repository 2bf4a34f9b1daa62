"""The vote of regions against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feedseg.arguments import described_part
from feedseg.decode.labels import label_image
from feedseg.decode.refiners import REFINERS
from feedseg.decode.refiners.region_vote import RegionVote, voted
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(data=st.data(), size=SIZES)
def test_every_region_gets_its_most_frequent_label_the_first_of_equals(data: st.DataObject, size) -> None:
    labels = data.draw(arrays(np.uint8, size, elements=st.integers(0, 3)))
    regions = data.draw(arrays(np.int32, size, elements=st.integers(-1, 4)))
    found = voted(labels, regions, 4)
    assert found.dtype == labels.dtype
    for number in np.unique(regions):
        inside = regions == number
        if number < 0:
            assert (found[inside] == labels[inside]).all()
            continue
        votes = Counter(labels[inside].tolist())
        assert (found[inside] == min(votes, key=lambda label: (-votes[label], label))).all()


@torch.inference_mode()
def test_probabilities_are_exchanged_and_agree_with_the_labels(some_scores, some_pixels) -> None:
    size = (40, 33)
    scores, image = some_scores(4, size), RgbImage(some_pixels(size))
    refined = RegionVote()(scores, image)
    labels, confidence = label_image(refined)
    rows = refined.rows(slice(None))
    before, sure = label_image(scores)
    assert (labels != before).any()
    np.testing.assert_array_equal(labels, rows.argmax(dim=0).numpy())
    np.testing.assert_array_equal(confidence, sure)
    torch.testing.assert_close(rows.sort(dim=0).values, scores.rows(slice(None)).sort(dim=0).values)


def test_regions_of_a_wrong_size_are_told(some_scores, some_pixels) -> None:
    refiner = RegionVote(regions=lambda pixels: np.zeros((2, 2), int))
    with pytest.raises(FeedsegError, match=r"whole numbers \(8, 8\), \(height, width\), not int64 \(2, 2\)"):
        refiner(some_scores(2, (8, 8)), RgbImage(some_pixels((8, 8))))


def test_what_makes_the_regions_is_recorded_by_name() -> None:
    described = described_part(REFINERS.load("region-vote"))
    assert described == {"kind": "RegionVote", "regions": "feedseg.decode.refiners.region_vote:superpixels"}
