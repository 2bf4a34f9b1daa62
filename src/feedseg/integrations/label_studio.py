"""A machine-learning backend for Label Studio: brush masks from the words of the labels.

    python -m feedseg.integrations.label_studio --port 9090

It needs label-studio-ml 2, which its authors publish on GitHub only; see docs/integrations.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from feedseg.errors import FeedsegError
from feedseg.integrations import needed
from feedseg.integrations.objects import FoundObject, found_objects
from feedseg.vocabulary import AUTO, Vocabulary

if TYPE_CHECKING:
    from feedseg.segmentation import Segmentation
    from feedseg.segmenter import Segmenter

try:
    Base: Any = import_module("label_studio_ml.model").LabelStudioMLBase
except ModuleNotFoundError as error:
    where = "pip install git+https://github.com/HumanSignal/label-studio-ml-backend.git"
    raise FeedsegError(f"this needs label-studio-ml ({error}): {where}") from error

MODEL, BACKGROUND = "FEEDSEG_MODEL", "FEEDSEG_BACKGROUND"  # in the environment


@lru_cache(1)
def _segmenter(model: str) -> Segmenter:
    from feedseg.segmenter import Segmenter

    return Segmenter.load(model)


class FeedsegBackend(Base):
    """Predicts the labels of a project's BrushLabels by their words: <Label value="Dog"/> is asked for as "Dog".

    A label's `predicted_values` are more words for it: <Label value="Pet" predicted_values="dog, cat"/>.
    """

    def setup(self) -> None:
        """Name the model, by which Label Studio keeps predictions apart."""
        self.set("model_version", f"feedseg-{os.environ.get(MODEL, 'photo')}")

    def predict(self, tasks: Sequence[dict[str, Any]], context: Any = None, **options: Any) -> list[dict[str, Any]]:
        """A prediction for each task: a brush mask for each label that is found in its image.

        Raises:
            FeedsegError: the project has no BrushLabels on an Image, or words that the model does not know.
        """
        try:
            control, image, key = self.get_first_tag_occurence("BrushLabels", "Image")
        except ValueError as error:
            raise FeedsegError("the labelling interface has no BrushLabels for an Image") from error
        vocabulary = self._vocabulary(control)
        version = str(self.get("model_version"))
        predictions = []
        for task in tasks:
            path = self.get_local_path(task["data"][key], task_id=task.get("id"))
            result = _segmenter(os.environ.get(MODEL, "photo"))(path, vocabulary)
            found = found_objects(result)
            regions = [brush(one, result, control, image) for one in found]
            score = float(np.mean([one.confidence for one in found])) if found else 0.0
            predictions.append({"result": regions, "score": score, "model_version": version})
        return predictions

    def _vocabulary(self, control: str) -> Vocabulary:
        labels = self.label_interface.get_control(control).labels_attrs or {}
        if not labels:
            raise FeedsegError(f"the BrushLabels {control!r} have no labels: add <Label value=…/> for what to find")
        classes = []
        for name, label in labels.items():
            more = (word.strip() for word in label.attr.get("predicted_values", "").split(","))
            words = {word.casefold(): word for word in (*more, name) if word}  # each once, as the label has it
            classes.append((name, *(word for word in words.values() if word != name)))
        background = os.environ.get(BACKGROUND, AUTO)
        words = background if background == AUTO else background.split(",")
        return Vocabulary(classes, words if background else None)


def brush(one: FoundObject, result: Segmentation, control: str, image: str) -> dict[str, Any]:
    """An object as a region of Label Studio: its mask in run lengths, over all of the image."""
    mask2rle = needed("label_studio_sdk.converter.brush", "label-studio").mask2rle
    width, height = result.size
    return {
        "id": f"feedseg-{one.label}",
        "from_name": control,
        "to_name": image,
        "type": "brushlabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "score": one.confidence,
        "value": {
            "format": "rle",
            "rle": mask2rle(one.whole(result.size).astype(np.uint8) * 255),
            "brushlabels": [one.name],
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the backend."""
    parser = argparse.ArgumentParser(prog="python -m feedseg.integrations.label_studio", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--model", help="a name that `feedseg models` lists, owner/name on the hub, or a folder")
    parser.add_argument(
        "--background", help='words for what is none of the labels, "wall, floor"; else a stock list, and "" for none'
    )
    given = parser.parse_args(arguments)
    for name, value in ((MODEL, given.model), (BACKGROUND, given.background)):
        if value is not None:
            os.environ[name] = value
    _segmenter(os.environ.get(MODEL, "photo"))  # what is wrong with it is said here and not with the first image
    needed("label_studio_ml.api", "label-studio").init_app(model_class=FeedsegBackend).run(given.host, given.port)


if __name__ == "__main__":
    main()
