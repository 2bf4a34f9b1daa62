"""The feedback in other people's code: transformers' `CLIPModel` and nothing else of this library."""

from typing import Any

import torch
from torch.nn.functional import normalize

import reference
import tiny_models
from feedseg import FSAFeedback


def test_with_transformers_clip_and_nothing_else():
    model = tiny_models.clip()
    model.set_attn_implementation("eager")  # to have the attention weights handed out
    pictures = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    text = normalize(torch.randn(6, 20, generator=torch.Generator().manual_seed(1)), dim=-1)
    with torch.inference_mode():
        vision: Any = model.vision_model
        seen = vision(pictures, output_attentions=True, output_hidden_states=True)
        last, tokens = vision.encoder.layers[-1], seen.hidden_states[-2]
        values = last.self_attn.v_proj(last.layer_norm1(tokens))

        def read(attended):
            return model.visual_projection(vision.post_layernorm(last.self_attn.out_proj(attended)))

        refined = FSAFeedback()(seen.attentions[-1], values, read, text, prefix=1)

    assert refined.shape == (2, 16, 20)
    torch.testing.assert_close(refined.norm(dim=-1), torch.ones(2, 16))
    for picture in range(2):
        expected, decided = reference.refined_embeddings(
            seen.attentions[-1][picture].double(),
            values[picture].double().unflatten(-1, (4, -1)).transpose(0, 1),
            lambda attended: read(attended.float()).double(),
            text.double(),
            1,
            (20.0, 35.0, 0.45, 3.0),
            margin=1e-5,
        )
        assert decided
        torch.testing.assert_close(refined[picture].double(), normalize(expected, dim=-1), atol=1e-4, rtol=1e-3)
