"""CLIPer's accumulated attention against its plain formula."""

import torch

from feedseg.vision.hosts.cliper import accumulated_attention
from plain_clip import HEADS, PlainClip, check_against, deep_clip


def restated(plain: PlainClip) -> torch.Tensor:
    """Entry by entry."""
    weights = []
    for head in range(HEADS):
        total = sum(plain.attention(block, head) for block in range(1, plain.blocks))
        assert isinstance(total, torch.Tensor)
        count = len(total)
        columns = torch.stack([total[:, j] / total[:, j].sum() for j in range(count)], dim=1)
        rows = torch.stack([columns[i] / columns[i].sum() for i in range(count)])
        both = torch.zeros_like(rows)
        for i in range(count):
            for j in range(count):
                both[i, j] = (rows[i, j] + rows[j, i]) / 2
        means = [both[:, j].sum() / count for j in range(count)]
        for i in range(count):
            kept = [max(0.0, float(both[i, j] - means[j])) for j in range(count)]
            rows[i] = torch.tensor(kept) / sum(kept)
        weights.append(rows)
    return plain.read(weights)


def test_the_patches_are_those_of_the_plain_formula(tmp_path):
    check_against(restated, *deep_clip(tmp_path), "cliper")


def test_shallower_towers_use_all_their_earlier_blocks(tmp_path):
    check_against(restated, *deep_clip(tmp_path, blocks=4), "cliper")


def test_where_all_tokens_look_alike_every_entry_stays():
    alike = torch.full((1, 2, 10, 10), 0.1)
    torch.testing.assert_close(accumulated_attention([alike, alike], 1), torch.full((1, 2, 9, 10), 0.1))


def test_the_attentions_that_are_given_stay_as_they_are():
    given = [torch.rand(1, 2, 5, 5, generator=torch.Generator().manual_seed(seed)).softmax(-1) for seed in range(2)]
    kept = [one.clone() for one in given]
    accumulated_attention(given, 1)
    assert all(torch.equal(one, other) for one, other in zip(given, kept, strict=True))
