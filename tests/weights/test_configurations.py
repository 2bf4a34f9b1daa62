"""Configurations that are not what they should be: one line that names the model, and nothing large is made."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from feedseg import FeedsegError
from feedseg.vision.model import open_model


@pytest.fixture
def changed(tiny_clip: Any, tmp_path: Path) -> Any:
    """`changed(part, key, value)`: a tiny CLIP whose configuration says something else; a part is "" for the whole."""

    def change(part: str, key: str, value: Any) -> Path:
        folder = tmp_path / "clip"
        shutil.copytree(tiny_clip(), folder, dirs_exist_ok=True)
        file = folder / "config.json"
        content = json.loads(file.read_text())
        (content[part] if part else content)[key] = value
        file.write_text(json.dumps(content))
        return folder

    return change


def complaint(folder: Path) -> str:
    with pytest.raises(FeedsegError) as caught:
        open_model(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


@pytest.mark.parametrize("part", ["vision_config", "text_config"])
@pytest.mark.parametrize("key", ["num_hidden_layers", "hidden_size", "num_attention_heads"])
@pytest.mark.parametrize("value", [0, -1, 10**9, "x", 2.5, [], None, True])
def test_sizes_that_the_weights_cannot_have(part: str, key: str, value: Any, changed: Any) -> None:
    folder, start = changed(part, key, value), time.monotonic()
    complaint(folder)
    assert time.monotonic() - start < 20  # and not the hours that a thousand million layers would take


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("vision_config", "hidden_act", "unheard of"),
        ("vision_config", "patch_size", 0),
        ("vision_config", "patch_size", "x"),
        ("vision_config", "intermediate_size", -4),
        ("text_config", "vocab_size", 10**7),
        ("", "vision_config", 5),
        ("", "projection_dim", 10**6),
    ],
)
def test_other_values_that_do_not_fit(part: str, key: str, value: Any, changed: Any) -> None:
    complaint(changed(part, key, value))


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b'{"a": 1, "a": 2}'])
def test_what_is_no_configuration(content: bytes, changed: Any) -> None:
    folder = changed("", "x", 1)
    (folder / "config.json").write_bytes(content)
    assert "config.json" in complaint(folder)
