"""The helpers that tests rest on do what they say."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_every_float_moves_by_one_unit_in_the_last_place(perturbed, dtype):
    tensor = torch.randn(50, 20, generator=torch.Generator().manual_seed(0)).to(dtype)
    moved = perturbed(tensor)
    assert (moved.dtype, moved.shape) == (tensor.dtype, tensor.shape)
    above = torch.nextafter(tensor, torch.full_like(tensor, torch.inf))
    below = torch.nextafter(tensor, torch.full_like(tensor, -torch.inf))
    assert torch.all((moved == above) | (moved == below))
    assert 0.3 < (moved == above).double().mean() < 0.7
    assert not torch.equal(moved, perturbed(tensor))


def test_what_is_no_float_stays(perturbed):
    tensor = torch.tensor([torch.inf, -torch.inf, torch.nan])
    torch.testing.assert_close(perturbed(tensor), tensor, rtol=0, atol=0, equal_nan=True)
    assert perturbed([1, "word", None, True]) == [1, "word", None, True]
    assert torch.equal(perturbed(torch.arange(3)), torch.arange(3))


def test_the_original_is_untouched_and_containers_are_kept(perturbed):
    @dataclass(frozen=True)
    class Pair:
        left: torch.Tensor
        right: int

    original = {"array": np.ones(3), "pair": Pair(torch.ones(2), 1), "number": 0.5, "tuple": (torch.zeros(2),)}
    moved = perturbed(original)
    assert np.array_equal(original["array"], np.ones(3))
    assert np.all(np.abs(moved["array"] - 1) < 3e-16)
    assert not np.any(moved["array"] == 1)
    assert 0 < abs(moved["number"] - 0.5) < 1e-15
    assert moved["pair"].right == 1
    assert torch.all(moved["pair"].left != 1)
    assert torch.all(moved["tuple"][0] != 0)


def test_the_first_of_several_is_the_original(perturbed):
    tensor = torch.ones(3)
    first, *others = perturbed.times(2, tensor)
    assert first is tensor
    assert len(others) == 2
    assert not any(torch.equal(other, tensor) for other in others)


def test_a_model_is_saved_once(tiny_clip, tiny_proxy, tiny_aligned):
    assert tiny_clip(seed=1) == tiny_clip(seed=1) != tiny_clip(seed=2)
    assert (tiny_clip(seed=1) / "tokenizer.json").is_file()
    assert (tiny_proxy("dino") / "model.safetensors").is_file()
    assert (tiny_aligned() / "feedseg.json").is_file()


def test_a_data_set_is_drawn_anew_for_every_call(tiny_dataset):
    first, masks = tiny_dataset("voc21")
    second, _ = tiny_dataset("voc21")
    assert first != second
    assert {path.stem for path in (first / "SegmentationClass").iterdir()} == set(masks)


def test_the_hub_answers_and_records(hub_server):
    import json
    from urllib.request import urlopen

    commit = hub_server.publish("owner/name", {"file.txt": b"content"})
    with urlopen(f"{hub_server.url}/api/models/owner/name/revision/main") as answer:
        assert json.load(answer)["sha"] == commit
    assert [request.method for request in hub_server.requests] == ["GET"]
