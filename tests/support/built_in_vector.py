"""The tiny reference vector that the package carries for `feedseg doctor`, computed without the package.

    python tests/support/built_in_vector.py     # writes src/feedseg/evaluation/vectors/

The tower is transformers' own; hosts, feedback and windows are written out plainly here and in reference.py.
"""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, normalize

import reference

FOLDER = Path(__file__).parents[2] / "src/feedseg/evaluation/vectors"
SHAPE = {"width": 16, "layers": 2, "heads": 2, "patch": 8, "image_size": 24, "dim": 12, "mlp_ratio": 2.0}
CONSTANTS = (20.0, 35.0, 0.45, 3.0)
SEED = 30  # the first whose pruning rounding cannot change
MARGIN = 1e-5
CLIP_MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
CLIP_STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class UndecidedError(Exception):
    """Rounding would decide what the pruning keeps, so the numbers would be no reference."""


class PlainTower:
    """A CLIP vision tower of transformers whose last block is taken apart by hand, for one image at a time."""

    def __init__(self, generator: torch.Generator) -> None:
        config = transformers.CLIPVisionConfig(
            hidden_size=SHAPE["width"],
            intermediate_size=int(SHAPE["width"] * SHAPE["mlp_ratio"]),
            num_hidden_layers=SHAPE["layers"],
            num_attention_heads=SHAPE["heads"],
            image_size=SHAPE["image_size"],
            patch_size=SHAPE["patch"],
            projection_dim=SHAPE["dim"],
            hidden_act="quick_gelu",
        )
        self.model = transformers.CLIPVisionModelWithProjection(config).eval().double()
        for parameter in self.model.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator).double() * 0.3
        for name, parameter in self.model.named_parameters():
            if "norm.weight" in name or "norm1.weight" in name or "norm2.weight" in name or "layrnorm.weight" in name:
                parameter.data += 1
        self.vision: Any = self.model.vision_model
        self.last = self.vision.encoder.layers[-1]

    def tokens(self, image: Tensor) -> Tensor:
        """What enters the last block, (M, D)."""
        embeddings = self.vision.embeddings
        patches = embeddings.patch_embedding(image[None])[0]
        table, native = embeddings.position_embedding.weight, SHAPE["image_size"] // SHAPE["patch"]
        grid = patches.shape[-2:]
        if grid != (native, native):
            square = table[1:].T.reshape(1, -1, native, native)
            scale = ((grid[0] + 0.1) / native, (grid[1] + 0.1) / native)
            resized = interpolate(square, scale_factor=scale, mode="bicubic", align_corners=False)
            table = torch.cat((table[:1], resized[0].flatten(1).T))
        tokens = torch.cat((embeddings.class_embedding[None], patches.flatten(1).T)) + table
        tokens = self.vision.pre_layrnorm(tokens)[None]
        for layer in self.vision.encoder.layers[:-1]:
            tokens = layer(tokens, None)
        return tokens[0]

    def projected(self, which: str, tokens: Tensor) -> Tensor:
        """Queries, keys or values by head, (H, M, d)."""
        module = getattr(self.last.self_attn, f"{which}_proj")
        return module(self.last.layer_norm1(tokens)).unflatten(-1, (SHAPE["heads"], -1)).transpose(0, 1)

    def read(self, attended: Tensor, residual: Tensor | None = None) -> Tensor:
        """(N, D) to (N, E)."""
        out = self.last.self_attn.out_proj(attended)
        if residual is not None:
            out = residual + out
            out = out + self.last.mlp(self.last.layer_norm2(out))
        return self.model.visual_projection(self.vision.post_layernorm(out))

    def host(self, name: str, image: Tensor, residual: bool) -> Tensor:
        """Joint embeddings of the patches, (N, E)."""
        tokens = self.tokens(image)
        query, key, value = (self.projected(which, tokens) for which in "qkv")
        root = value.shape[-1] ** 0.5
        qk, qq, kk = query @ key.mT / root, query @ query.mT / root, key @ key.mT / root
        if name == "naclip":
            columns = image.shape[-1] // SHAPE["patch"]
            for i in range(1, len(tokens)):
                for j in range(1, len(tokens)):
                    rows_apart = (i - 1) // columns - (j - 1) // columns
                    columns_apart = (i - 1) % columns - (j - 1) % columns
                    kk[:, i, j] += torch.exp(torch.tensor(-(rows_apart**2 + columns_apart**2) / 50.0))
        weights = {
            "vanilla": qk.softmax(-1),
            "maskclip": torch.eye(len(tokens)).double().expand_as(qk),
            "sclip": qq.softmax(-1) + kk.softmax(-1),
            "clearclip": qq.softmax(-1),
            "naclip": kk.softmax(-1),
        }[name]
        attended = (weights @ value).transpose(0, 1).flatten(1)
        return self.read(attended[1:], tokens[1:] if residual else None)

    def proxyclip(self, image: Tensor, features: Tensor, text: Tensor, feedback: bool) -> Tensor:
        """Joint embeddings on the proxy's grid, (hw, E)."""
        tokens = self.tokens(image)
        grid = (image.shape[-2] // SHAPE["patch"], image.shape[-1] // SHAPE["patch"])
        values = self.projected("v", tokens)[:, 1:].mT.unflatten(-1, grid)
        values = interpolate(values, size=features.shape[-2:], mode="bilinear", align_corners=False).flatten(2).mT
        unit = normalize(features.flatten(1).T, dim=-1)
        cosines = unit @ unit.T
        scores = 3.0 * (cosines - 1.2 * cosines.mean())
        weights = scores.masked_fill(scores < 0, -torch.inf).softmax(-1).expand(SHAPE["heads"], -1, -1)
        if not feedback:
            return self.read((weights @ values).transpose(0, 1).flatten(1))
        embeddings, decided = reference.refined_embeddings(weights, values, self.read, text, 0, CONSTANTS, MARGIN)
        if not decided:
            raise UndecidedError
        return embeddings


def segment(tower: PlainTower, image: Tensor, weight: Tensor, text: Tensor, feedback: bool) -> Tensor:
    """Stitched cosines of a whole image: windows of 32 every 16, resized to 50 × 61."""
    total, count = torch.zeros(len(text), *image.shape[-2:]).double(), torch.zeros(image.shape[-2:]).double()

    def starts(length: int) -> list[int]:
        return [min(start, length - 32) for start in range(0, max(length - 32 + 15, 0) // 16 * 16 + 1, 16)]

    for top in starts(image.shape[-2]):
        for left in starts(image.shape[-1]):
            window = image[:, top : top + 32, left : left + 32]
            pixels = window * CLIP_STD + CLIP_MEAN
            features = conv2d(((pixels - IMAGENET_MEAN) / IMAGENET_STD)[None], weight, stride=4)[0]
            cosines = normalize(tower.proxyclip(window, features, text, feedback), dim=-1) @ text.T
            cosines = cosines.T.unflatten(-1, features.shape[-2:])
            cosines = interpolate(cosines[None], size=(32, 32), mode="bilinear", align_corners=False)[0]
            total[:, top : top + 32, left : left + 32] += cosines
            count[top : top + 32, left : left + 32] += 1
    return interpolate((total / count)[None], size=(50, 61), mode="bilinear", align_corners=False)


def openclip_weights(tower: PlainTower) -> dict[str, Tensor]:
    """The tower's weights in OpenCLIP's naming."""
    vision = tower.vision
    weights = {
        "class_embedding": vision.embeddings.class_embedding,
        "positional_embedding": vision.embeddings.position_embedding.weight,
        "conv1.weight": vision.embeddings.patch_embedding.weight,
        "proj": tower.model.visual_projection.weight.T,
    }
    modules = {"ln_pre": vision.pre_layrnorm, "ln_post": vision.post_layernorm}
    for number, layer in enumerate(vision.encoder.layers):
        block, attention = f"transformer.resblocks.{number}", layer.self_attn
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        weights[f"{block}.attn.in_proj_weight"] = torch.cat([projection.weight for projection in projections])
        weights[f"{block}.attn.in_proj_bias"] = torch.cat([projection.bias for projection in projections])
        modules |= {f"{block}.ln_1": layer.layer_norm1, f"{block}.ln_2": layer.layer_norm2}
        modules |= {f"{block}.attn.out_proj": attention.out_proj}
        modules |= {f"{block}.mlp.c_fc": layer.mlp.fc1, f"{block}.mlp.c_proj": layer.mlp.fc2}
    for name, module in modules.items():
        weights |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    return {f"weights.{name}": tensor for name, tensor in weights.items()}


@torch.no_grad()
def build(seed: int) -> dict[str, tuple[dict[str, Tensor], dict[str, str]]]:
    """The files by name: tensors and metadata. Computed in fp64, stored in fp32."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).double()

    tower = PlainTower(generator)
    image, text, proxy = draw(3, 40, 32), normalize(draw(5, SHAPE["dim"]), dim=-1), draw(6, 10, 8)
    probability = (2 * draw(12, 5)).softmax(-1)
    similarity = 1 / (1 + reference.divergences(probability))
    fsa = openclip_weights(tower) | {
        "image": image[None],
        "text": text,
        "proxy": proxy[None],
        "out.plain": tower.host("vanilla", image, residual=True)[None],
        "out.proxyclip": tower.proxyclip(image, proxy, text, feedback=False)[None],
        "out.proxyclip_fsa": tower.proxyclip(image, proxy, text, feedback=True)[None],
        "step.probs": probability[None],
        "step.kl": reference.divergences(probability)[None],
        "step.similarity": similarity[None],
        "step.pruned_p045": reference.pruned(similarity, 0.45)[None],
    }
    base = {
        f"out.{name}.{'residual' if residual else 'no_residual'}": tower.host(name, image, residual)[None]
        for name in ("vanilla", "maskclip", "sclip", "clearclip", "naclip")
        for residual in (True, False)
    }
    large, weight = draw(3, 44, 56), draw(6, 3, 4, 4)
    whole = {
        "image": large[None],
        "proxy.weight": weight,
        "text": text,
        "query_to_class": torch.tensor([0, 0, 1, 2, 2]),
    }
    for kind in ("fsa", "off"):
        logits = segment(tower, large, weight, text, kind == "fsa")
        scores = (40 * logits).softmax(1)[0]
        best, labels = torch.stack([scores[:2].amax(0), scores[2], scores[3:].amax(0)]).max(0)
        whole |= {
            f"logits.{kind}": logits,
            f"labels.{kind}.thd0.0": labels[None].to(torch.int16),
            f"labels.{kind}.thd0.9": labels.masked_fill(best < 0.9, 0)[None].to(torch.int16),
        }
    about = {name: json.dumps(value) for name, value in SHAPE.items()} | {"act": '"quick_gelu"', "lam": "3.0"}
    of_whole = {"crop": "32", "stride": "16", "logit_scale": "40", "ori_shape": "[50, 61]", "lambda": "3.0"}
    files = {"fsa_tiny": (fsa, about), "base_tiny": (base, {}), "segment_tiny": (whole, of_whole | {"case": "tiny"})}
    return {
        f"{name}.safetensors": (
            {
                key: (value.float() if value.is_floating_point() else value).contiguous()
                for key, value in of_file.items()
            },
            metadata,
        )
        for name, (of_file, metadata) in files.items()
    }


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file_name, (tensors, metadata) in build(SEED).items():
        save_file(tensors, FOLDER / file_name, metadata=metadata)
