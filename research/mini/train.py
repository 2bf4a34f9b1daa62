"""Train the miniature CLIP on drawn scenes: `python -m research.mini.train --out FOLDER` from the repository's root.

Interrupted, it goes on from its last checkpoint when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from research.mini.data import Batch, draw_pool, make_batch
from research.mini.model import (
    BEGIN,
    CONTENT_WORDS,
    END,
    MEAN,
    PAD,
    PATCH,
    SIDE,
    STD,
    UNKNOWN,
    embed_images,
    embed_texts,
    make_model,
    save_model,
    split,
    whiten_patches,
    words,
)
from torch import Tensor
from torch.nn.functional import softplus
from transformers import CLIPModel

BATCH = 128
WARM_UP = 100  # steps
COOL_DOWN = 0.35  # of the steps
# side of the crops in pixels, until which fraction of the steps
SIDES = ((24, 0.5), (32, 0.72), (48, 0.86), (64, 0.92), (96, 1.0))
FORGOTTEN = 0.1  # of the words without a meaning of their own, so that unknown words do no harm


def main() -> None:
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pool = draw_pool(options.pool, options.out / "pool.npz", options.threads)
    clip = make_model(options.width, options.layers, options.seed)
    whiten_patches(clip, normalised(pool.images[:200]))
    clip.to(device)  # type: ignore[arg-type]
    optimiser = torch.optim.AdamW(parameter_groups(clip), lr=options.rate, betas=(0.9, 0.98))
    checkpoint, log = options.out / "checkpoint.pt", options.out / "log.jsonl"
    step, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        clip.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds = state["step"], state["seconds"]
    started, losses = time.monotonic() - seconds, []
    while step < options.steps:
        for group in optimiser.param_groups:
            group["lr"] = options.rate * schedule(step, options.steps)
        side = next(side for side, until in SIDES if step < until * options.steps)
        batch = make_batch(pool, step, BATCH, side, options.seed)
        loss = train_step(clip, optimiser, batch, np.random.default_rng((3, options.seed, step)), device)
        losses.append(loss)
        step += 1
        if step % 25 == 0:
            seconds = time.monotonic() - started
            entry = {
                "step": step,
                "seconds": round(seconds, 1),
                "side": side,
                "loss": round(float(np.mean(losses)), 4),
                "scale": round(float(clip.logit_scale.detach().exp()), 2),
            }
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            losses = []
        if step % 250 == 0 or step == options.steps:
            state = {"model": clip.state_dict(), "optimiser": optimiser.state_dict(), "step": step, "seconds": seconds}
            temporary = checkpoint.with_suffix(".part")
            torch.save(state, temporary)
            temporary.replace(checkpoint)
            save_model(clip, options.out / "model")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pool, checkpoint, log and model")
    parser.add_argument("--steps", type=int, default=2800)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--pool", type=int, default=16_000, help="scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def normalised(images: np.ndarray, gains: Tensor | float = 1.0) -> Tensor:
    """Pictures (B, side, side, 3), uint8, as the model takes them: (B, 3, side, side)."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * gains - mean) / std


def schedule(step: int, steps: int) -> float:
    """The fraction of the highest learning rate: a linear rise, a plateau, a linear fall."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / (COOL_DOWN * steps))


def parameter_groups(clip: CLIPModel) -> list[dict[str, object]]:
    """Weight decay for matrices only."""
    tensors = list(clip.parameters())
    matrices = [tensor for tensor in tensors if tensor.dim() > 1]
    return [
        {"params": matrices, "weight_decay": 0.05},
        {"params": [tensor for tensor in tensors if tensor.dim() <= 1], "weight_decay": 0.0},
    ]


def train_step(
    clip: CLIPModel,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    rng: np.random.Generator,
    device: torch.device,
) -> float:
    """One step of the optimiser; the loss before it."""
    gains = torch.from_numpy(rng.uniform(0.92, 1.08, (len(batch.images), 3, 1, 1)).astype(np.float32))
    images = normalised(batch.images, gains).to(device)
    free = (SIDE - images.shape[-1]) // PATCH + 1
    top, left = (int(place) for place in rng.integers(free, size=2))
    halves = [[tensor.to(device) for tensor in half] for half in tokenised(batch.texts, rng)]
    true, false = (torch.from_numpy(pairs[by_length(batch.texts)]).to(device) for pairs in (batch.true, batch.false))
    with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
        embeddings = embed_images(clip, images, top, left)
        texts = torch.cat([embed_texts(clip, tokens, mask) for tokens, mask in halves])
    scale = clip.logit_scale.exp().clamp(max=50)
    loss = torch.stack(
        [contrast(scale * texts.float() @ images.float().T, true, false) for images in embeddings]
    ).mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def contrast(logits: Tensor, true: Tensor, false: Tensor) -> Tensor:
    """Each true pair of caption and image against the false ones of its caption, and against those of its image.

    Args:
        logits: (captions, images).
        true, false: which pairs are; those that are neither do not count.
    """
    return (_one_way(logits, true, false) + _one_way(logits.T, true.T, false.T)) / 2


def _one_way(logits: Tensor, true: Tensor, false: Tensor) -> Tensor:
    others = logits.masked_fill(~false, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = softplus(others - logits) * true
    counted = true.sum(dim=1)
    return (losses.sum(dim=1) / counted.clamp(min=1)).sum() / (counted > 0).sum()


NUMBERS = {word: index for index, word in enumerate(words())}


def by_length(texts: list[str]) -> list[int]:
    """Where the texts are in the order of their lengths."""
    return sorted(range(len(texts)), key=lambda index: len(split(texts[index])))


def tokenised(texts: list[str], rng: np.random.Generator) -> list[tuple[Tensor, Tensor]]:
    """Token ids and mask as the tokenizer makes them, but with some words forgotten, in the order `by_length`.

    Returns:
        the shorter half and the longer half, (B / 2, L) twice each, so that little of it is padding.
    """
    rows = []
    for index in by_length(texts):
        known = split(texts[index])
        forgotten = rng.random(len(known)) < FORGOTTEN
        kept = [
            NUMBERS[UNKNOWN] if lost and word not in CONTENT_WORDS else NUMBERS[word]
            for word, lost in zip(known, forgotten, strict=True)
        ]
        rows.append([NUMBERS[BEGIN], *kept, NUMBERS[END]])
    middle = len(rows) // 2
    return [_padded(rows[:middle]), _padded(rows[middle:])]


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [NUMBERS[PAD]] * (longest - len(row)) for row in rows])
    return tokens, (tokens != NUMBERS[PAD]).long()


if __name__ == "__main__":
    main()
