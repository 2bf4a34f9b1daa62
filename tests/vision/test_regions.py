"""Regions on a grid of patches against other programs: DBSCAN, and components of graphs."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from feedseg.vision.regions import alike_neighbours, connected, merged, of_patches


def partition(numbers) -> set[frozenset[int]]:
    """The indices that share a number, whatever it is."""
    numbers = [int(number) for number in numbers]
    return {frozenset(i for i, other in enumerate(numbers) if other == number) for number in numbers}


@pytest.mark.parametrize("seed", range(8))
def test_components_are_scipys(seed):
    generator = np.random.default_rng(seed)
    linked = generator.random((40, 40)) < 0.005 * seed
    linked = linked | linked.T
    found = connected(torch.from_numpy(np.stack(linked.nonzero())), 40)
    count, expected = connected_components(linked, directed=False)
    assert partition(found) == partition(expected)
    assert len(set(found.tolist())) == count
    assert all(found[least] == least for least in found.tolist())


def test_a_long_chain_is_one_component():
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    assert not connected(torch.stack((order[:-1], order[1:])), 200).any()


@pytest.mark.parametrize("seed", range(5))
def test_regions_merge_as_dbscan_has_it(seed):
    cluster = pytest.importorskip("sklearn.cluster", reason="scikit-learn is not installed")
    generator = torch.Generator().manual_seed(seed)
    features = torch.nn.functional.normalize(torch.randn(90, 4, generator=generator), dim=-1)
    regions = torch.randint(0, 14, (90,), generator=generator) * 3
    numbers = regions.unique()
    means = torch.stack([features[regions == number].double().mean(dim=0) for number in numbers])
    means = torch.nn.functional.normalize(means, dim=-1)
    cosines = (means @ means.T).numpy()
    distances = (cosines.max() - cosines).clip(0)
    assert np.abs(distances - 0.2).min() > 1e-6
    labels = cluster.DBSCAN(metric="precomputed", eps=0.2, min_samples=1).fit_predict(distances)
    assert 1 < len(set(labels)) < len(numbers)
    expected = [int(labels[numbers.tolist().index(int(number))]) for number in regions]
    assert partition(merged(regions, features, 0.2)) == partition(expected)


def test_patches_of_no_region_stay_so_and_numbers_begin_at_zero():
    features = torch.eye(6)
    assert merged(torch.tensor([-1, 9, 9, -7, 4, 1000]), features, 0.2).tolist() == [-1, 1, 1, -1, 0, 2]
    assert merged(torch.full((6,), -1), features, 0.2).tolist() == [-1] * 6
    assert merged(torch.tensor([3] * 6), features * 0, 0.2).tolist() == [0] * 6  # features of length zero


def test_a_patch_is_of_the_region_at_its_centre():
    pixels = torch.arange(6 * 9).reshape(6, 9)
    assert of_patches(pixels, (2, 3)).tolist() == [[10, 13, 16], [37, 40, 43]]
    assert torch.equal(of_patches(pixels, (6, 9)), pixels)
    assert of_patches(torch.tensor([[1, 2]]), (2, 4)).tolist() == [[1, 1, 2, 2]] * 2


@pytest.mark.parametrize("size", [(6, 9), (1, 7), (5, 1), (1, 1)])
def test_regions_of_alike_neighbours_are_scipys_components_of_the_grid(size):
    height, width = size
    angles = 0.3 * torch.randint(0, 3, size, generator=torch.Generator().manual_seed(3)).double()
    features = 2 * torch.stack((angles.cos(), angles.sin()))  # next but one are cos 0.6 = 0.83 apart, next ones 0.96
    flat = features.flatten(1).T / 2
    graph = np.zeros((height * width,) * 2, bool)
    for i, j in np.ndindex(graph.shape):
        steps = abs(i // width - j // width) + abs(i % width - j % width)
        graph[i, j] = steps == 1 and float(flat[i] @ flat[j]) >= 0.9
    _, numbers = connected_components(graph, directed=False)
    expected: np.ndarray = np.asarray(numbers)
    found = alike_neighbours(features, 0.9)
    assert found.shape == size
    alone: Any = ~graph.any(axis=1)
    assert (found.flatten() == -1).tolist() == alone.tolist()
    assert partition(found.flatten()[~alone]) == partition(expected[~alone])
    assert sorted(set(found[found >= 0].tolist())) == list(range(len(set(expected[~alone]))))
