"""Open-vocabulary segmentation without training: an image and a few words in, a class for every pixel out.

The public names are imported when first used, so that `import feedseg` is quick.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedseg.errors import FeedsegError
    from feedseg.segmentation import Segmentation
    from feedseg.segmenter import EncodedImage, Segmenter
    from feedseg.settings import Settings
    from feedseg.vision.feedback.calibrated import CalibratedFeedback
    from feedseg.vision.feedback.fsa import FSAFeedback
    from feedseg.vocabulary import Vocabulary

__version__: str

__all__ = [
    "CalibratedFeedback",
    "EncodedImage",
    "FSAFeedback",
    "FeedsegError",
    "Segmentation",
    "Segmenter",
    "Settings",
    "Vocabulary",
]

_MODULES = {
    "CalibratedFeedback": "feedseg.vision.feedback.calibrated",
    "EncodedImage": "feedseg.segmenter",
    "FSAFeedback": "feedseg.vision.feedback.fsa",
    "FeedsegError": "feedseg.errors",
    "Segmentation": "feedseg.segmentation",
    "Segmenter": "feedseg.segmenter",
    "Settings": "feedseg.settings",
    "Vocabulary": "feedseg.vocabulary",
}
_RENAMED = {"FeedbackAttention": "FSAFeedback"}  # in version 0.3; the old names go in 0.4


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # it takes longer than all else here

        return version("feedseg")
    if name in _RENAMED:
        warnings.warn(f"feedseg.{name} is now feedseg.{_RENAMED[name]}", DeprecationWarning, stacklevel=2)
        name = _RENAMED[name]
    if name not in _MODULES:
        raise AttributeError(f"module 'feedseg' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
