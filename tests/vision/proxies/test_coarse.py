"""A proxy on a coarser grid than its own, and the speeds of which it is a part."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from feedseg import FeedsegError, Segmenter, Settings
from feedseg.apps.cli.main import main
from feedseg.loading import at_speed
from feedseg.vision.proxies.base import FunctionProxy, TowerProxy
from feedseg.vision.proxies.coarse import CoarseProxy, coarsened

PATCH = 16  # of the tower; the proxy's is 8


@pytest.fixture(scope="module")
def segmenter(tiny_clip: Callable[..., Path], tiny_proxy: Callable[..., Path]) -> Segmenter:
    settings = Settings(short_side=64, window=48, stride=16)
    clip, dino = tiny_clip(patch_size=PATCH, image_size=64), tiny_proxy("dino")
    return Segmenter.load(clip, proxy=dino, settings=settings, feedback="paper", device="cpu")


def image() -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    return np.array(Image.fromarray(small).resize((144, 112), Image.Resampling.BICUBIC))


def test_it_is_the_proxy_of_a_window_that_was_made_smaller(segmenter: Segmenter) -> None:
    """Pillow makes it smaller, by the same kernel."""
    inner = segmenter.encoder.proxy
    assert inner is not None
    coarse = coarsened(inner, PATCH)
    assert type(coarse) is CoarseProxy
    assert (coarse.revision, coarse.family, coarse.patch_size) == (inner.revision, "vit", 1)
    pixels = torch.from_numpy(image()).permute(2, 0, 1)[None] / 255
    output = segmenter.encoder.tower.encode(pixels)
    with torch.inference_mode():
        found = coarse(pixels, output)
        smaller = np.array(Image.fromarray(image()).resize((15 * 8, 11 * 8), Image.Resampling.BICUBIC))
        expected = inner(torch.from_numpy(smaller).permute(2, 0, 1)[None] / 255, output)
        whole = inner(pixels, output)
    assert output.grid == (7, 9)
    assert found.shape[2:] == (11, 15)  # 1.625 times, rounded
    assert whole.shape[2:] == (14, 18)
    assert (found - expected).abs().max() < 0.1  # Pillow rounds to whole numbers of 0 to 255
    assert (found - interpolate(whole, size=(11, 15))).abs().max() > 0.3


def test_what_is_no_finer_or_unknown_stays(segmenter: Segmenter) -> None:
    for proxy in (TowerProxy(), FunctionProxy(lambda pixels: pixels), segmenter.encoder.proxy):
        assert proxy is not None
        assert coarsened(proxy, 12) is proxy
    coarse = coarsened(FunctionProxy(lambda pixels: pixels, 8), PATCH)
    assert coarsened(coarse, PATCH) is coarse


def test_speeds_leave_out_more_and_more(segmenter: Segmenter) -> None:
    found = {name: at_speed(segmenter, name) for name in ("protocol", "fast", "fastest")}
    assert found["protocol"] is segmenter
    assert found["fast"].settings == found["fastest"].settings == segmenter.settings.fast()
    assert found["fast"].encoder is segmenter.encoder
    assert found["fastest"].encoder.tower_part == (48, 48)  # the windows of the protocol
    encoded = {name: one.encode(image()) for name, one in found.items()}
    counts = {name: [window.grid for _, window in one.windows] for name, one in encoded.items()}
    assert counts["fast"] == [(8, 12)]  # 64 × 83 pixels, the sides whole patches of both
    assert counts["fastest"] == [(6, 10)]
    assert len(counts["protocol"]) > 1
    for one in found.values():
        assert one(image(), ["cat", "dog"]).labels.shape == (112, 144)
    about = found["fastest"].provenance()["proxy"]
    assert about["name"].endswith(" (coarse)")
    assert about["revision"] == found["fast"].provenance()["proxy"]["revision"]


def test_the_tower_sees_parts_only_beside_a_coarse_proxy_and_where_there_are_windows(segmenter: Segmenter) -> None:
    fastest = at_speed(segmenter, "fastest")
    assert at_speed(fastest, "fastest").encoder.tower_part == (48, 48)
    assert fastest.describe()["tower_part"] == (48, 48)
    assert "tower_part" not in at_speed(segmenter, "fast").describe()
    own = replace(segmenter, encoder=replace(segmenter.encoder, proxy=TowerProxy()))
    assert at_speed(own, "fastest").encoder.tower_part is None
    whole = at_speed(replace(segmenter, settings=Settings(window=None)), "fastest")
    assert type(whole.encoder.proxy) is CoarseProxy
    assert whole.encoder.tower_part is None


def test_as_many_patches_are_reckoned_as_there_are(segmenter: Segmenter) -> None:
    """What memory they take is told beforehand."""
    for one in (segmenter, at_speed(segmenter, "fastest")):
        ((_, window),) = one.encode(image()[:, :112], settings=Settings(short_side=128, window=None)).windows
        assert one.encoder.patches((128, 128)) == window.grid[0] * window.grid[1]


def test_an_unknown_speed_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(FeedsegError, match="a speed is protocol, fast or fastest, not 'warp'"):
        at_speed(segmenter, "warp")


def test_the_commands_take_it(
    tiny_clip: Callable[..., Path],
    tiny_proxy: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(image()).save("a.png")
    options = ["--model", tiny_clip(patch_size=PATCH, image_size=64), "--proxy", tiny_proxy("dino"), "--device", "cpu"]
    options += ["--short-side", "48", "--speed", "fastest"]
    assert main([*map(str, ("segment", "a.png", "--labels", "cat, dog", "--json", *options))]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["models"]["proxy"]["name"].endswith(" (coarse)")
    assert (about["settings"]["window"], about["settings"]["stride"]) == (96, None)


def test_a_segmenter_is_loaded_at_a_speed(segmenter: Segmenter) -> None:
    loaded = Segmenter.load(segmenter.model, proxy=segmenter.encoder.proxy, device="cpu", speed="fastest")
    assert type(loaded.encoder.proxy) is CoarseProxy
    assert loaded.settings.stride is None
    with pytest.raises(FeedsegError, match="a speed is protocol, fast or fastest, not 'slow'"):
        Segmenter.load("mini", device="cpu", speed="slow")
