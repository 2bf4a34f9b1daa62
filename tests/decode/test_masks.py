"""From masks that overlap to regions, against plain statements of the rules."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feedseg.decode.masks import best_apart, boxes, painted, stabilities

MASKS = arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))
CORNERS = st.tuples(*[st.integers(0, 6)] * 4)


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """The IoU of two boxes, by the unit squares in them; 0 where neither has any."""
    cells = [
        {(x, y) for x in range(left, right) for y in range(top, bottom)} for left, top, right, bottom in (one, other)
    ]
    together = len(cells[0] | cells[1])
    return len(cells[0] & cells[1]) / together if together else 0.0


@given(corners=st.lists(CORNERS, max_size=8), data=st.data(), most=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_of_boxes_that_overlap_the_best_stays(corners, data: st.DataObject, most) -> None:
    found = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    scores = data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(found), max_size=len(found)))
    stays: list[int] = []
    for index in sorted(range(len(found)), key=lambda index: -scores[index]):
        if all(overlap(found[index], found[other]) <= most for other in stays):
            stays.append(index)
    as_tensor = torch.tensor(found, dtype=torch.float32).view(-1, 4)
    assert best_apart(as_tensor, torch.tensor(scores), most).tolist() == stays


@given(masks=MASKS)
def test_a_box_ends_where_its_mask_does(masks) -> None:
    expected = []
    for mask in masks:
        rows, columns = mask.nonzero()
        expected.append([columns.min(), rows.min(), columns.max(), rows.max()] if len(rows) else [0] * 4)
    assert boxes(torch.from_numpy(masks)).tolist() == expected


def test_a_steady_mask_keeps_its_area() -> None:
    logits = torch.tensor([[[5.0, 5, -5, -5]], [[0.5, 5, -0.5, -5]], [[-5.0, -5, -5, -5]]])
    assert stabilities(logits, 1.0).tolist() == [1.0, torch.tensor(1 / 3).item(), 0.0]
    assert stabilities(logits, 0.0).tolist() == [1.0, 1.0, 0.0]


def test_later_masks_lie_on_earlier_ones() -> None:
    large, small = np.ones((2, 3), bool), np.zeros((2, 3), bool)
    large[1, 2], small[0, 1] = False, True
    assert painted([large, small], (2, 3)).tolist() == [[0, 1, 0], [0, 0, -1]]
    assert painted([], (1, 2)).tolist() == [[-1, -1]]
