"""Weights in eight bits: writing them, and reading them back as ordinary tensors.

A matrix `W` (rows, columns) is stored as `W`, int8, and `W.scale`, float32 (rows, 1): weight = int8 · scale. Everything
else is stored as float16. Vectors, embeddings of other ranks and convolutions stay float16.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

SCALE = ".scale"
LEAST_ROWS = 8  # smaller matrices (token types) are not worth a scale
CLIPPINGS = (1.0, 0.97, 0.94, 0.91, 0.88, 0.85, 0.8)


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The int8 matrix and its float32 scales, (rows, 1); of some clippings of a row the one with the least error."""
    weight = weight.float()
    largest = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12)
    best = torch.full_like(largest, torch.inf)
    best_scale = largest / 127
    for clipping in CLIPPINGS:
        scale = largest * clipping / 127
        rounded = (weight / scale).round().clamp(-127, 127) * scale
        error = (rounded - weight).square().sum(dim=1, keepdim=True)
        best_scale = torch.where(error < best, scale, best_scale)
        best = torch.minimum(best, error)
    return (weight / best_scale).round().clamp(-127, 127).to(torch.int8), best_scale


def packed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors to store for a module's weights."""
    result: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() == 2 and len(weight) >= LEAST_ROWS:
            result[name], result[name + SCALE] = quantised(weight)
        elif weight.is_floating_point():
            result[name] = weight.half().contiguous()
    return result


def unpacked(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Float32 weights of stored tensors."""
    return {
        name: tensor.float() * tensors[name + SCALE].float() if name + SCALE in tensors else tensor.float()
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }


def write(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Store tensors, all of them contiguous."""
    file.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, file, metadata={"format": "pt"} | (metadata or {}))
    file.chmod(0o644)


def load_module(folder: Path, name: str) -> Any:
    """A frozen float32 module of transformers' class `name`, from a folder whose weights may be packed or not."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model_class = getattr(transformers, name)
    module, report = model_class.from_pretrained(
        None,
        config=model_class.config_class.from_pretrained(folder, local_files_only=True),
        state_dict=unpacked(load_file(folder / "model.safetensors")),
        dtype=torch.float32,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    if report["missing_keys"]:
        raise ValueError(f"{folder} lacks {sorted(report['missing_keys'])[:3]}")
    return module.eval().requires_grad_(False)
