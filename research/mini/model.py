"""The miniature CLIP: its shape, its words, and how it is saved."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import cast

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from torch.nn.functional import normalize, unfold
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.modeling_clip import CLIPEncoderLayer

from feedseg.evaluation.scenes import BACKGROUNDS, COLOURS, PATTERNS, SHAPES, SYNONYMS
from feedseg.evaluation.scenes.vocabulary import ARTICLES, NOUNS, PREPOSITIONS
from feedseg.vision.text.templates import default_templates

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
PAD, UNKNOWN, BEGIN, END = "<pad>", "<unknown>", "<begin>", "<end>"
POSITIONS = 32  # tokens of a text at most
SIDE, PATCH = 96, 8
CONTENT = (*COLOURS, *PATTERNS, *BACKGROUNDS, *SHAPES, *(word for words in SYNONYMS.values() for word in words))


def split(text: str) -> list[str]:
    """Words in lower case, without punctuation: what the tokenizer sees."""
    return re.sub(r"[^\w\s]", " ", text.lower()).split()


CONTENT_WORDS = frozenset(word for name in CONTENT for word in split(name))


def words() -> list[str]:
    """Every token: four special ones first, then the words of captions and prompt templates."""
    texts = (
        *CONTENT,
        *NOUNS,
        *ARTICLES,
        *PREPOSITIONS,
        *(template.replace("{}", "") for template in default_templates()),
    )
    return [PAD, UNKNOWN, BEGIN, END, *dict.fromkeys(word for text in texts for word in split(text))]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer; what it does not know becomes one and the same token."""
    numbers = {word: index for index, word in enumerate(words())}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(  # type: ignore[assignment]
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"[^\w\s]"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()  # type: ignore[assignment]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment]
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, numbers[BEGIN]), (END, numbers[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "attention_mask"],
    )


def make_model(width: int, layers: int, seed: int) -> CLIPModel:
    """Freshly initialised, fp32."""
    torch.manual_seed(seed)
    known = words()
    text = {
        "vocab_size": len(known),
        "hidden_size": 96,
        "intermediate_size": 384,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "max_position_embeddings": POSITIONS,
        "pad_token_id": known.index(PAD),
        "bos_token_id": known.index(BEGIN),
        "eos_token_id": known.index(END),
        "hidden_act": "gelu",
    }
    vision = {
        "image_size": SIDE,
        "patch_size": PATCH,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 32,
        "hidden_act": "gelu",
    }
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))
    clip.set_attn_implementation("eager")  # for so few tokens plain matrix products are the fastest on a CPU
    return clip


@torch.no_grad()
def whiten_patches(clip: CLIPModel, images: Tensor, floor: float = 0.01) -> None:
    """Start the patch embedding as the whitened principal components of the patches of images (B, 3, side, side).

    Otherwise a patch's mean colour drowns its details, and patterns are learnt late. `floor` is added to the variances,
    so that grain is not magnified.
    """
    embedding = clip.vision_model.embeddings.patch_embedding
    patches = unfold(images, PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1)
    variances, components = torch.linalg.eigh(torch.cov(patches.double().T))
    strongest = slice(-embedding.out_channels, None)
    filters = components[:, strongest] / (variances[strongest] + floor).sqrt()
    embedding.weight.copy_(filters.T.unflatten(1, (3, PATCH, PATCH)))


def embed_images(clip: CLIPModel, images: Tensor, top: int = 0, left: int = 0) -> tuple[Tensor, Tensor]:
    """Unit embeddings of normalised images (B, 3, side, side), computed in two ways: two of (B, E).

    The first is the model's own. The second leaves out the last block's residual and feed-forward, as hosts do: what
    its attention alone gathers. `top` and `left` say where in the grid of positions the image's first patch lies.
    """
    vision = clip.vision_model
    patches = vision.embeddings.patch_embedding(images)
    rows, columns = patches.shape[-2:]
    table = vision.embeddings.position_embedding.weight
    square = table[1:].unflatten(0, (SIDE // PATCH, SIDE // PATCH))[top : top + rows, left : left + columns]
    class_token = (vision.embeddings.class_embedding + table[0]).expand(len(images), 1, -1)
    tokens = torch.cat((class_token, patches.flatten(2).transpose(1, 2) + square.flatten(0, 1)), dim=1)
    tokens = vision.pre_layrnorm(tokens)
    for layer in vision.encoder.layers[:-1]:
        tokens = cast(Tensor, layer(tokens, None))
    last = cast(CLIPEncoderLayer, vision.encoder.layers[-1])  # only the class token's row of it is needed
    attention, normed = last.self_attn, last.layer_norm1(tokens)
    heads = attention.num_heads
    query, key, value = (
        projected.unflatten(-1, (heads, -1)).transpose(1, 2)
        for projected in (attention.q_proj(normed[:, :1]), attention.k_proj(normed), attention.v_proj(normed))
    )
    weights = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)
    gathered = attention.out_proj((weights @ value).transpose(1, 2).flatten(2))[:, 0]
    whole = tokens[:, 0] + gathered
    whole = whole + last.mlp(last.layer_norm2(whole))

    def joint(token: Tensor) -> Tensor:
        return normalize(clip.visual_projection(vision.post_layernorm(token)), dim=-1)

    return joint(whole), joint(gathered)


def embed_texts(clip: CLIPModel, tokens: Tensor, mask: Tensor) -> Tensor:
    """Unit embeddings (B, E) of token ids (B, L)."""
    pooled = clip.text_model(input_ids=tokens, attention_mask=mask).pooler_output
    return normalize(clip.text_projection(pooled), dim=-1)


def save_model(clip: CLIPModel, folder: Path) -> None:
    """Write the folder that `transformers` and `feedseg` load: configuration, weights in fp16, tokenizer."""
    deepcopy(clip).half().save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    preprocessing = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": SIDE},
        "crop_size": {"height": SIDE, "width": SIDE},
        "image_mean": MEAN,
        "image_std": STD,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=2) + "\n", encoding="utf-8")
