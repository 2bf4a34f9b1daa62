"""Queries and keys of a DINO's last block against what transformers' own layers make on the way."""

import pickle

import pytest
import torch

import tiny_models
from feedseg import FeedsegError
from feedseg.vision.proxies.base import IMAGENET_MEAN, IMAGENET_STD
from feedseg.vision.proxies.dino_queries_keys import DinoQueriesKeys
from feedseg.vision.proxies.load import load_proxy


@pytest.mark.parametrize("sides", [(32, 32), (24, 56)])
def test_they_are_what_transformers_computes_in_its_last_attention(tmp_path, sides):
    reference = tiny_models.save_proxy(tmp_path, "dino")
    batch = torch.rand(2, 3, *sides, generator=torch.Generator().manual_seed(0))
    caught = {}
    for name in ("q_proj", "k_proj"):
        getattr(reference.layers[-1].attention, name).register_forward_hook(
            lambda module, given, made, name=name: caught.update({name: made})
        )
    mean, std = (torch.tensor(each)[:, None, None] for each in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.inference_mode():
        reference((batch - mean) / std, interpolate_pos_encoding=True)
        found = pickle.loads(pickle.dumps(DinoQueriesKeys(tmp_path)))(batch, None)
    expected = (caught["q_proj"] + caught["k_proj"])[:, 1:]
    assert found.shape == (2, 32, sides[0] // 8, sides[1] // 8)
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=1e-4)


def test_it_says_which_it_is_and_takes_a_dino_alone(tmp_path):
    tiny_models.save_proxy(tmp_path / "dino", "dino")
    tiny_models.save_proxy(tmp_path / "mae", "mae")
    proxy = load_proxy(DinoQueriesKeys(tmp_path / "dino"))
    assert proxy.name.endswith("queries and keys")
    assert proxy.family == "vit"
    assert proxy.revision
    with pytest.raises(FeedsegError, match="is a 'vit_mae' model, and no DINO"):
        DinoQueriesKeys(tmp_path / "mae")
