"""How well predictions follow the outlines: the boundary F-score.

Tolerance and matching after Csurka, Larlus and Perronnin, "What is a good evaluation measure for semantic
segmentation?", BMVC 2013: a boundary pixel is matched by one of its own class within 0.75 % of the image's diagonal.
Matches are pooled over all images before the score is taken, as Martin, Fowlkes and Malik do (TPAMI 2004) and as mIoU
does, so the score rests on integers that can be added up in any order.
"""

from __future__ import annotations

import numpy as np

from feedseg.evaluation.metrics.confusion import mean_of_known

TOLERANCE = 0.0075  # of the diagonal
NOWHERE = -1  # in a map of boundaries


def boundary_counts(target: np.ndarray, pred: np.ndarray, classes: int, ignore: int) -> np.ndarray:
    """Boundary pixels of one image by class: (4, classes), int64.

    A boundary pixel has a neighbour above, below, left or right with another class. Pixels that the target leaves open
    count as what is nearest to them where that is within the tolerance (so an outline drawn as a thin line of them
    becomes the line's middle), and elsewhere not at all.

    Args:
        target: (height, width), true classes or `ignore`.
        pred: the predicted classes, (height, width).

    Returns:
        the rows: the target's boundary pixels, how many of them the prediction matches; the prediction's, how many of
        them the target matches.
    """
    radius = TOLERANCE * float(np.hypot(*target.shape))
    target = _filled(target, ignore, int(radius))
    pred = np.where(target == ignore, ignore, pred.astype(np.int64))
    in_target, in_pred = _boundaries(target, ignore), _boundaries(pred, ignore)
    counts = []
    for here, there in ((in_target, in_pred), (in_pred, in_target)):
        rows, columns = np.nonzero(here != NOWHERE)
        found = here[rows, columns]
        matched = _matched(rows, columns, found, there, radius)
        counts += [np.bincount(found, minlength=classes), np.bincount(found[matched], minlength=classes)]
    return np.stack(counts)


def boundary_scores(counts: np.ndarray) -> np.ndarray:
    """F per class, (classes,), 0 to 1, from the sum of images' counts (4, classes); NaN for one without boundaries.

    The harmonic mean of precision (the prediction's boundary pixels that are matched) and recall (the target's).
    """
    target, found, pred, right = counts.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = found / target, right / pred
        scores = 2 * precision * recall / (precision + recall)
    scores[(target + pred > 0) & ~((found > 0) & (right > 0))] = 0.0
    return scores


def mean_boundary_score(counts: np.ndarray) -> float:
    """The mean of `boundary_scores` over the classes that have boundaries in target or prediction."""
    return mean_of_known(boundary_scores(counts))


def _filled(target: np.ndarray, ignore: int, steps: int) -> np.ndarray:
    """The target with its open pixels filled from their neighbours, a pixel deep at each step."""
    filled = target.astype(np.int64)
    for _ in range(steps):
        open_pixels = filled == ignore
        if not open_pixels.any():
            break
        before = np.pad(filled, 1, constant_values=ignore)
        for neighbour in (before[:-2, 1:-1], before[1:-1, :-2], before[1:-1, 2:], before[2:, 1:-1]):
            takes = open_pixels & (filled == ignore) & (neighbour != ignore)
            filled[takes] = neighbour[takes]
    return filled


def _boundaries(classes: np.ndarray, ignore: int) -> np.ndarray:
    """Every boundary pixel's class; elsewhere NOWHERE. Where one of two neighbours does not count there is none."""
    edge = np.zeros(classes.shape, bool)
    known = classes != ignore
    for near, far in (
        ((slice(1, None),), (slice(None, -1),)),
        ((slice(None), slice(1, None)), (slice(None), slice(-1))),
    ):
        differ = (classes[near] != classes[far]) & known[near] & known[far]
        edge[near] |= differ
        edge[far] |= differ
    return np.where(edge, classes, NOWHERE)


def _matched(rows: np.ndarray, columns: np.ndarray, found: np.ndarray, there: np.ndarray, radius: float) -> np.ndarray:
    """Which of the pixels have one of their class in the other map within the radius: (n,) bool.

    Boundaries are thin, so their pixels are looked up one by one, at the nearest offsets first: most are matched soon
    and leave the search.
    """
    reach = int(radius)
    around = np.pad(there, reach, constant_values=NOWHERE)
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    distances = np.hypot(*steps.T)
    order = np.argsort(distances, kind="stable")
    flat, width = around.ravel(), around.shape[1]
    positions = (rows + reach) * width + columns + reach
    matched = np.zeros(len(found), bool)
    searching = np.arange(len(found))
    for down, across in steps[order[distances[order] <= radius]]:
        hit = flat[positions[searching] + down * width + across] == found[searching]
        matched[searching[hit]] = True
        searching = searching[~hit]
        if not searching.size:
            break
    return matched
