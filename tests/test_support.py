"""The helpers that tests rest on do what they say."""

import pytest
import torch


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_every_float_moves_by_one_unit_in_the_last_place(perturbed, dtype):
    tensor = torch.randn(50, 20, generator=torch.Generator().manual_seed(0)).to(dtype)
    original = tensor.clone()
    moved = perturbed(tensor)
    above = torch.nextafter(tensor, torch.full_like(tensor, torch.inf))
    below = torch.nextafter(tensor, torch.full_like(tensor, -torch.inf))
    assert torch.all((moved == above) | (moved == below))
    assert 0.3 < (moved == above).double().mean() < 0.7
    assert not torch.equal(moved, perturbed(tensor, seed=1))
    assert torch.equal(tensor, original)


def test_movement_is_what_rounding_does_to_a_result(movement):
    nearly_equal = torch.tensor([1.0, 1.0 + 1e-6])
    assert movement(torch.sum, [nearly_equal]) < 1e-6
    assert movement(lambda pair: 1 / (pair[1] - pair[0]), [nearly_equal]) > 1e4


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
