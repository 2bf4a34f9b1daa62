"""The formulas of hosts that are traced say what the hosts' own code does, for several windows at once."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError, Segmenter
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.corrclip import CorrClip
from feedseg.vision.hosts.outliers import outliers
from feedseg.vision.hosts.pearl import rotation
from feedseg.vision.onnx.graphs import WindowGraph
from feedseg.vision.onnx.hosts import TRACED, polar_factor, polar_rotation, traced_outliers
from feedseg.vision.onnx.regions import components


@pytest.mark.parametrize("tokens", [5, 40, 300])
def test_the_rotation_is_that_of_the_decomposition(tokens: int) -> None:
    """In directions that no token has, too, and where some are a ten-thousandth of others."""
    torch.manual_seed(tokens)
    key = torch.randn(2, 3, tokens, 32, dtype=torch.float64)
    query = key * torch.logspace(0, -4, 32) + torch.randn_like(key) * torch.logspace(-4, 0, 32)
    found = polar_rotation(key, query)
    torch.testing.assert_close(found, rotation(key, query), atol=1e-8, rtol=0)
    torch.testing.assert_close(found @ found.mT, torch.eye(32).double().expand_as(found), atol=1e-8, rtol=0)


def test_of_almost_nothing_the_rotation_is_none() -> None:
    tiny = torch.finfo(torch.float64).tiny * torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(polar_factor(tiny), torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("patches", [4, 6, 61, 62, 300])
def test_the_same_patches_stand_out(patches: int) -> None:
    torch.manual_seed(patches)
    tokens = torch.randn(3, patches, 16) * torch.rand(3, patches, 1) + 5
    found = traced_outliers(tokens)
    assert torch.equal(found, outliers(tokens))
    assert found.any(dim=-1).all()


def test_components_of_a_long_winding_path_and_of_none() -> None:
    order = torch.randperm(50, generator=torch.Generator().manual_seed(2))
    links = torch.zeros(2, 50, 50, dtype=torch.bool)
    links[0, order[:-1], order[1:]] = True
    links[0, order[30], order[31]] = False  # two paths
    links |= links.mT.clone()
    found = components(links)
    assert found[1].tolist() == list(range(50))
    first, second = order[:31], order[31:]
    assert set(found[0, first].tolist()) == {int(first.min())}
    assert set(found[0, second].tolist()) == {int(second.min())}


@pytest.mark.parametrize("feedback", ["none", "calibrated"])
@pytest.mark.parametrize("host", [kind.name for kind in TRACED])
def test_windows_together_are_windows_alone(tmp_path: Path, host: str, feedback: str) -> None:
    tiny_models.save_clip(tmp_path / "clip")
    tiny_models.save_proxy(tmp_path / "proxy", "dino", patch_size=4)  # a finer grid than the tower's
    proxy = {"proxy": tmp_path / "proxy"} if HOSTS.load(host).uses_proxy else {}
    segmenter = Segmenter.load(tmp_path / "clip", host=host, feedback=feedback, device="cpu", **proxy)
    text = normalize(torch.randn(5, 20, generator=torch.Generator().manual_seed(3)), dim=-1)
    pixels = torch.rand(3, 3, 5, 6, generator=torch.Generator().manual_seed(4)).repeat_interleave(8, 2)
    pixels = pixels.repeat_interleave(8, 3)
    expected = torch.stack([window.logits(text, segmenter.feedback) for window in segmenter.encoder(pixels)])
    with torch.inference_mode():
        found = WindowGraph(segmenter.encoder, segmenter.feedback)(pixels, text)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_regions_of_ones_own_are_refused(tmp_path: Path) -> None:
    tiny_models.save_clip(tmp_path)
    host = CorrClip(regions=lambda image: image[..., 0].astype(int))
    segmenter = Segmenter.load(tmp_path, host=host, proxy="self", device="cpu")
    with pytest.raises(FeedsegError, match="with regions of your own cannot be exported"):
        WindowGraph(segmenter.encoder, None)(torch.rand(1, 3, 32, 32), torch.rand(2, 20))
