"""A class token of its own for every region of a window, which sees nothing but that region."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from feedseg.vision.towers.base import Block, TowerOutput


def region_embeddings(output: TowerOutput, regions: Tensor, count: int) -> Tensor:
    """The joint embeddings of the regions' class tokens, (B, R, E), fp32, not normalised.

    Copies of the class token go through every block beside the window's own tokens, which do not see them: each attends
    to the leading tokens and to its region's patches. All blocks of the output must have been tapped.

    Args:
        output: of a tower with a class token.
        regions: the region of each of the tower's patches, (B, N), from 0 to R − 1; a window may lack some.
        count: R.
    """
    tower = output.tower
    own = torch.arange(count, device=regions.device)[:, None] == regions[:, None]
    leading = own.new_ones(1).expand(own.shape[0], own.shape[1], tower.prefix)
    seen = torch.cat((leading, own), dim=-1)[:, None]
    blocks = len(tower.blocks)
    stream = output.block(1).tokens[:, :1].expand(-1, count, -1)

    def attended(one: Block, stream: Tensor) -> Tensor:
        query = tower.project_heads(one.index, "query", stream).unflatten(-1, (tower.heads, -1)).transpose(1, 2)
        key, value = one.projection("key"), one.projection("value")
        return scaled_dot_product_attention(query, key, value, attn_mask=seen).transpose(1, 2).flatten(2)

    for one in map(output.block, range(1, blocks)):
        stream = tower.add_feed_forward(one.index, tower.add_attended(one.index, stream, attended(one, stream)))
    return tower.project(attended(output.last, stream), stream if tower.reads_residual else None)
