"""With label-studio-sdk, which reads the masks back, and a double of label-studio-ml's base class."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import label_studio_double
from feedseg import FeedsegError, Segmenter, Vocabulary

CONFIG = """<View><Image name="photo" value="$picture"/><BrushLabels name="tag" toName="photo">
<Label value="Striped"/><Label value="Spots" predicted_values="dotted, checked"/><Label value="plain"/>
</BrushLabels></View>"""


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, with the toy model, on the double."""
    monkeypatch.setitem(sys.modules, "label_studio_ml", ModuleType("label_studio_ml"))
    monkeypatch.setitem(sys.modules, "label_studio_ml.model", label_studio_double)
    monkeypatch.delitem(sys.modules, "feedseg.integrations.label_studio", raising=False)
    monkeypatch.setenv("FEEDSEG_MODEL", "mini")
    monkeypatch.setenv("FEEDSEG_BACKGROUND", "grass, sky")
    return import_module("feedseg.integrations.label_studio")


def test_masks_from_the_words_of_the_labels(backend: Any, desk, tmp_path) -> None:
    pytest.importorskip("label_studio_sdk.label_interface")
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    file = tmp_path / "a.png"
    desk.image.save(file)
    model = backend.FeedsegBackend(label_config=CONFIG.replace("Striped", "striped").replace("Spots", "dotted"))
    (prediction,) = model.predict([{"id": 3, "data": {"picture": str(file)}}])
    words = Vocabulary([["striped"], ["dotted", "checked"], ["plain"]], background=["grass", "sky"])
    expected = Segmenter.load("mini")(desk.image, words)
    assert prediction["model_version"] == "feedseg-mini"
    assert 0 < prediction["score"] <= 1
    assert [one["value"]["brushlabels"] for one in prediction["result"]] == [
        [name] for name in expected.names[1:] if name in expected
    ]
    for one in prediction["result"]:
        assert (one["from_name"], one["to_name"], one["type"]) == ("tag", "photo", "brushlabels")
        assert (one["original_width"], one["original_height"]) == desk.image.size
        rows = brush.decode_rle(one["value"]["rle"]).reshape(90, 120, 4)
        (name,) = one["value"]["brushlabels"]
        for channel in range(4):
            np.testing.assert_array_equal(rows[..., channel] == 255, expected.mask(name))


def test_the_real_interface_checks_the_prediction(backend: Any, desk, tmp_path) -> None:
    interfaces = pytest.importorskip("label_studio_sdk.label_interface")
    file = tmp_path / "a.png"
    desk.image.save(file)
    config = CONFIG.replace("Striped", "striped").replace("Spots", "dotted")
    (prediction,) = backend.FeedsegBackend(label_config=config).predict([{"data": {"picture": str(file)}}])
    assert interfaces.LabelInterface(config=config).validate_prediction(prediction)


def test_interfaces_without_brush_labels(backend: Any) -> None:
    pytest.importorskip("label_studio_sdk.label_interface")
    config = '<View><Image name="a" value="$b"/><Choices name="c" toName="a"><Choice value="d"/></Choices></View>'
    with pytest.raises(FeedsegError, match="no BrushLabels for an Image"):
        backend.FeedsegBackend(label_config=config).predict([])


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "label_studio_ml", None)
    monkeypatch.delitem(sys.modules, "feedseg.integrations.label_studio", raising=False)
    with pytest.raises(
        FeedsegError, match=r"needs label-studio-ml .*: pip install git\+https://github.com/HumanSignal"
    ):
        import_module("feedseg.integrations.label_studio")
