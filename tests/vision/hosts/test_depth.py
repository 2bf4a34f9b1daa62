"""Hosts that look at earlier blocks: which ones, in which towers, and what the others pay for it."""

import pytest
import torch

import tiny_models
from feedseg import FeedsegError
from feedseg.vision.encode import WindowEncoder
from feedseg.vision.hosts import HOSTS
from feedseg.vision.hosts.depth import layer
from feedseg.vision.model import open_model
from feedseg.vision.proxies.base import TowerProxy
from feedseg.vision.towers.base import VisionTower
from plain_clip import deep_clip, random_windows

OF_ONE_BLOCK = ("clip", "maskclip", "sclip", "clearclip", "naclip", "proxyclip", "pearl")
OF_SEVERAL = sorted(set(HOSTS.names()) - set(OF_ONE_BLOCK))


def encoder_of(tower: VisionTower, host: str, class_token: bool | None = None) -> WindowEncoder:
    chosen = HOSTS.load(host)
    return WindowEncoder(tower, chosen, TowerProxy() if chosen.uses_proxy else None, class_token)


def test_blocks_are_those_of_the_papers_in_twelve_and_at_the_same_depth_in_others():
    assert [layer(block, 12) for block in range(1, 12)] == list(range(1, 12))
    assert [layer(block, 24) for block in (4, 9, 10)] == [8, 18, 20]
    assert [layer(block, 4) for block in (4, 9, 10)] == [1, 3, 3]
    assert {layer(block, 2) for block in range(1, 13)} == {1}


@pytest.mark.parametrize("host", OF_SEVERAL)
@pytest.mark.parametrize("blocks", [2, 3, 4, 12, 24, 32])
def test_taps_lie_before_the_last_block(host, blocks):
    assert all(1 <= block < blocks for block in HOSTS.load(host).tapped(blocks))


@pytest.mark.parametrize("host", OF_SEVERAL)
def test_a_tower_of_one_block_is_refused_in_one_line(tmp_path, host):
    tiny_models.save_clip(tmp_path, num_hidden_layers=1)
    with pytest.raises(FeedsegError, match=f"the host {host} looks at blocks before the last.*1 in all") as caught:
        WindowEncoder(open_model(tmp_path).tower, HOSTS.load(host))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("host", OF_ONE_BLOCK)
def test_hosts_of_one_block_keep_no_other(host):
    assert HOSTS.load(host).tapped(12) == ()


@pytest.mark.parametrize("host", OF_SEVERAL)
def test_the_same_window_twice_in_a_batch_gives_the_same(tmp_path, host):
    _, tower = deep_clip(tmp_path)
    (pixels,) = random_windows(40, 72, 1)
    one, other = encoder_of(tower, host)(torch.stack((pixels, pixels)))
    assert torch.equal(one.first, other.first)


@pytest.mark.parametrize("host", OF_SEVERAL)
@pytest.mark.parametrize("class_token", [True, False])
def test_rows_sum_to_what_the_host_says(tmp_path, host, class_token):
    _, tower = deep_clip(tmp_path)
    for window in encoder_of(tower, host, class_token)(random_windows(64, 24)):
        attention = window.readout.attention
        assert attention.weights is not None
        sums = attention.weights.sum(dim=-1)
        torch.testing.assert_close(sums, torch.full_like(sums, HOSTS.load(host).row_sum))
