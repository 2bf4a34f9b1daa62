"""Building transformers' modules from checkpoints, complete or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from feedseg.errors import FeedsegError, first_line
from feedseg.weights.checkpoint import Checkpoint, load_weights, read_config

Channels = tuple[float, float, float]
QUICK_GELU = 1.702
_SIZES = ("num_hidden_layers", "hidden_size", "num_attention_heads")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers' own progress bars and advice say nothing to our users; restored afterwards."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_module(
    checkpoint: Checkpoint,
    class_name: str,
    config_changes: Mapping[str, Any] | None = None,
    weights: Mapping[str, Tensor] | None = None,
    **options: Any,
):
    """A frozen fp32 module of transformers' class `class_name` with the checkpoint's configuration and weights.

    Args:
        checkpoint: its files.
        class_name: the module's class.
        config_changes: what is to be otherwise in its configuration.
        weights: the checkpoint's, where they have been loaded before.
        options: for transformers' `from_pretrained`.

    Raises:
        FeedsegError: the weights lack a tensor that the model needs, or one has another shape.
    """
    import transformers

    model_class = getattr(transformers, class_name)
    with quiet_transformers():
        try:
            config = model_class.config_class.from_pretrained(checkpoint.folder, local_files_only=True)
        except Exception as error:  # each version of transformers has its own kinds for what is no configuration
            raise FeedsegError(f"{checkpoint.source}: its config.json is not usable: {first_line(error)}") from error
    for name, value in (config_changes or {}).items():
        setattr(config, name, value)
    found = load_weights(checkpoint) if weights is None else weights
    return build_module(class_name, config, found, checkpoint.source, **options)


def build_module(class_name: str, config: Any, weights: Mapping[str, Tensor], source: str, **options: Any):
    """A frozen fp32 module of transformers' class `class_name` from a configuration and a state dict.

    transformers would fill what is missing with random numbers; here that is an error.
    """
    import transformers
    from transformers.activations import QuickGELUActivation

    model_class = getattr(transformers, class_name)
    check_sizes(config, weights, source)
    with quiet_transformers():
        try:
            module, report = model_class.from_pretrained(
                None,
                config=config,
                state_dict=dict(weights),
                dtype=torch.float32,
                attn_implementation="sdpa",
                output_loading_info=True,
                **options,
            )
        except Exception as error:  # an unknown activation, a size that does not divide, a shape: each of another kind
            why = first_line(error) if isinstance(error, (KeyError, TypeError, ArithmeticError)) else ""
            text = f"{source}: its weights and its configuration do not fit {class_name}"
            raise FeedsegError(f"{text} ({why})" if why else text) from error
    absent = sorted(report["missing_keys"])
    if absent:
        raise FeedsegError(
            f"{source}: {len(absent)} tensors of {class_name} are missing from the weights, the first is {absent[0]}"
        )
    fold_quick_gelu(module, QuickGELUActivation)
    return module.eval().requires_grad_(False)


def check_sizes(config: Any, weights: Mapping[str, Tensor], source: str) -> None:
    """Complain about sizes that the weights cannot have, before a module of such sizes is made.

    Args:
        config: of transformers; that of a CLIP holds two.
        weights: by name.
        source: for the message.

    Raises:
        FeedsegError: layers, width or heads are no whole numbers from 1 on, or do not fit the weights or each other.
    """
    sides = {side for tensor in weights.values() for side in tensor.shape}
    for part in (config, getattr(config, "vision_config", None), getattr(config, "text_config", None)):
        layers, width, heads = (getattr(part, name, None) for name in _SIZES)
        for name, number in zip(_SIZES, (layers, width, heads), strict=True):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise FeedsegError(f"{source}: its configuration's {name} is {str(number)[:40]}, no number from 1 on")
        if layers and layers > len(weights):
            raise FeedsegError(
                f"{source}: its configuration has {layers} layers, and its weights {len(weights)} tensors"
            )
        if width and width not in sides:
            raise FeedsegError(f"{source}: its configuration's hidden_size is {width}, which none of its weights has")
        if width and heads and width % heads:
            raise FeedsegError(f"{source}: {heads} heads do not divide the hidden_size of {width}")


@torch.no_grad()
def fold_quick_gelu(module: nn.Module, activation: type[nn.Module]) -> None:
    """Leave one pass of the three of OpenAI's activation, a class, for the same numbers but rounding.

    x · sigmoid(1.702 x) is silu(1.702 x) / 1.702, and the factors can be in the weights on both sides.
    """
    part: Any
    for part in module.modules():
        if isinstance(getattr(part, "activation_fn", None), activation):
            before, after = part.fc1, part.fc2
            before.weight, before.bias = (nn.Parameter(x * QUICK_GELU) for x in (before.weight, before.bias))
            after.weight = nn.Parameter(after.weight / QUICK_GELU)
            part.activation_fn = nn.SiLU(inplace=True)


def normalisation_of(checkpoint: Checkpoint, mean: Channels, std: Channels) -> tuple[Channels, Channels]:
    """Mean and standard deviation of the checkpoint's preprocessing for RGB in [0, 1]; the defaults if it has none."""
    config: Any = {}
    if (checkpoint.folder / "preprocessor_config.json").is_file():
        config = read_config(checkpoint, "preprocessor_config.json")
    elif (checkpoint.folder / "processor_config.json").is_file():  # where transformers 5 saves whole processors
        config = read_config(checkpoint, "processor_config.json").get("image_processor") or {}
    found = (config.get("image_mean") or mean, config.get("image_std") or std)
    return channels(found[0], checkpoint.source), deviations(found[1], checkpoint.source)


def channels(values: Any, source: str) -> Channels:
    """Three finite numbers, or an error that names their source."""
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise FeedsegError(f"{source}: its normalisation is not three numbers: {values!r}") from error
    if not all(map(math.isfinite, (red, green, blue))):
        raise FeedsegError(f"{source}: its normalisation is not three numbers: {values!r}")
    return red, green, blue


def deviations(values: Any, source: str) -> Channels:
    """Three positive numbers, or an error that names their source."""
    found = channels(values, source)
    if min(found) <= 0:
        raise FeedsegError(f"{source}: its standard deviations are not positive: {values!r}")
    return found
