"""Label propagation against scipy's sparse solver, on a graph that is built patch by patch in fp64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import cg, spsolve
from torch.nn.functional import normalize

from feedseg import FeedsegError, Segmenter
from feedseg.decode.patches import Patches
from feedseg.decode.refiners import propagate
from feedseg.decode.refiners.propagate import Propagate

WINDOWS, QUERIES, GRID = 2, 3, (4, 5)


@pytest.fixture
def patches() -> Patches:
    """Two windows that overlap, random logits and features that are alike here and there."""
    generator = torch.Generator().manual_seed(4)
    count = GRID[0] * GRID[1]
    base = torch.randn(4, 6, generator=generator)[torch.randint(0, 4, (WINDOWS, count), generator=generator)]
    features = base + 0.5 * torch.randn(WINDOWS, count, 6, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(GRID[0]), torch.arange(GRID[1]), indexing="ij")
    positions = torch.stack((rows.flatten(), columns.flatten()), dim=-1) * 16.0 + 8
    return Patches(
        torch.rand(WINDOWS, QUERIES, *GRID, generator=generator),
        40.0,
        torch.stack((positions, positions + torch.tensor((0.0, 24.0)))),
        features=normalize(features, dim=-1).transpose(1, 2).unflatten(2, GRID),
    )


def graph_of(patches: Patches, how: Propagate) -> csr_array:
    """S, in loops."""
    assert patches.features is not None
    features = patches.features.double().numpy().transpose(0, 2, 3, 1).reshape(-1, 6)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    positions = patches.positions.double().numpy().reshape(-1, 2)
    count = len(features)
    weights = np.zeros((count, count))
    for i in range(count):
        cosines = features @ features[i]
        for j in np.argsort(-cosines)[: how.nearest]:
            distance = np.hypot(*(positions[i] - positions[j]))
            weights[i, j] = max(cosines[j], 0) ** how.power * np.exp(-how.decay * distance)
    weights = weights + weights.T
    np.fill_diagonal(weights, 0)
    degree = weights.sum(axis=1)
    return csr_array(weights / np.sqrt(np.outer(degree, degree)))


def own(patches: Patches, how: Propagate) -> np.ndarray:
    """x, (patches, queries)."""
    logits = patches.logits.double().numpy().transpose(0, 2, 3, 1).reshape(-1, QUERIES)
    if not how.probabilities:
        return logits
    weights = np.exp(patches.scale * logits)
    return weights / weights.sum(axis=1, keepdims=True)


def as_logits(found: np.ndarray, how: Propagate) -> np.ndarray:
    result = np.log(found) / 40 if how.probabilities else found
    return result.reshape(WINDOWS, *GRID, QUERIES).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize(
    "how",
    [
        Propagate(alpha=0.95, nearest=8, steps=200),
        Propagate(alpha=0.6, power=6, nearest=400, steps=200, probabilities=True),
        Propagate(alpha=0.8, decay=0.1, nearest=3, steps=200),
    ],
)
def test_with_many_steps_it_is_the_solution(patches, how, dense, monkeypatch) -> None:
    monkeypatch.setattr(propagate, "DENSE_PATCHES", 2048 if dense else 0)
    monkeypatch.setattr(propagate, "BLOCK_ELEMENTS", 200)  # several blocks of rows
    system = eye_array(WINDOWS * GRID[0] * GRID[1]) - how.alpha * graph_of(patches, how)
    expected = np.asarray(spsolve(system.tocsc(), (1 - how.alpha) * own(patches, how)))
    found = how.refine(patches).double().numpy()
    np.testing.assert_allclose(found, as_logits(expected, how), atol=1e-5)


def test_ten_steps_are_ten_steps_of_scipy_s_conjugate_gradients(patches) -> None:
    how = Propagate(nearest=8, steps=4)
    system = eye_array(WINDOWS * GRID[0] * GRID[1]) - how.alpha * graph_of(patches, how)
    target = (1 - how.alpha) * own(patches, how)
    expected = np.stack([cg(system, column, rtol=0, atol=0, maxiter=4)[0] for column in target.T], axis=1)
    np.testing.assert_allclose(how.refine(patches).double().numpy(), as_logits(expected, how), atol=1e-5)
    solution = spsolve(system.tocsc(), target)
    assert np.abs(solution - expected).max() > 1e-3  # so few steps do not solve it


def test_a_lone_patch_keeps_its_own_and_a_solved_column_stays(patches) -> None:
    lone = Patches(patches.logits[:1, :, :1, :1], 40.0, torch.zeros(1, 1, 2), features=torch.ones(1, 1, 1, 1))
    torch.testing.assert_close(Propagate(alpha=0.0).refine(lone), lone.logits)
    found = Propagate(alpha=0.5, steps=30).refine(lone)
    torch.testing.assert_close(found, lone.logits / 2)  # nothing comes from others
    zeros = Patches(torch.zeros(2, 3, 4, 5), 40.0, patches.positions, features=patches.features)
    assert not Propagate().refine(zeros).any()


@pytest.mark.parametrize("host", ["naclip", "proxyclip"])
def test_of_an_image_the_features_are_the_proxy_s_or_the_tower_s(host: str) -> None:
    segmenter = Segmenter.load("mini", host=host, device="cpu")
    pixels = np.random.default_rng(2).integers(0, 256, (112, 160, 3), np.uint8)
    encoded = segmenter.encode(pixels)
    for _, window in encoded.windows:
        assert window.features.shape[-2:] == window.grid
        torch.testing.assert_close(window.features.norm(dim=0), torch.ones(window.grid))
    plain = encoded.segment("striped, dotted, bricks")
    found = encoded.segment("striped, dotted, bricks", refiners=["propagate"])
    assert (found.confidence != plain.confidence).any()


@pytest.mark.parametrize("wrong", [{"alpha": 1.0}, {"power": -1}, {"nearest": 0}, {"steps": 1.5}, {"decay": "x"}])
def test_constants_that_make_no_sense_are_told(wrong) -> None:
    with pytest.raises(FeedsegError):
        Propagate(**wrong)
