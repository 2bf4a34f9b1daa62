"""What a network takes of a transformers configuration, or that it does not cover it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

# Said by transformers in every configuration, and without a part in what a trained network computes.
_WITHOUT_EFFECT = {
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "attention_probs_dropout_prob",
    "dropout",
    "dtype",
    "hidden_dropout_prob",
    "initializer_factor",
    "initializer_range",
    "model_type",
    "torch_dtype",
    "transformers_version",
}
_MOST = 10**6  # of any number, so that what is made of them can be counted
_MOST_LAYERS = 1000


def network_settings(
    config: Any, usual: Mapping[str, Any], fixed: Mapping[str, Any], without_effect: set[str]
) -> SimpleNamespace | None:
    """The settings of a network by name; None for a configuration that it does not cover.

    Args:
        config: what its JSON file holds.
        usual: transformers' defaults of the settings that may vary. Numbers are from 1 on, or positive fractions.
        fixed: the settings for which there is one value only, absent or not.
        without_effect: further keys that have no part in the forward pass.
    """
    if not isinstance(config, dict) or set(config) - {*usual, *fixed, *without_effect} - _WITHOUT_EFFECT:
        return None
    if any(config.get(name, value) != value for name, value in fixed.items()):
        return None
    found = {name: config.get(name, value) for name, value in usual.items()}
    if any(type(found[name]) is not type(value) for name, value in usual.items()):
        return None
    if any(isinstance(value, (int, float)) and not 0 < value <= _MOST for value in found.values()):
        return None
    if found.get("num_hidden_layers", 1) > _MOST_LAYERS or found.get("hidden_size", 1) % found.get(
        "num_attention_heads", 1
    ):
        return None
    return SimpleNamespace(**found)
