"""Open-vocabulary segmentation without training: a picture and a few words in, every pixel named.

The public names are imported when first used, so that `import feedseg` is quick.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedseg.errors import FeedsegError
    from feedseg.segmentation import Segmentation
    from feedseg.segmenter import Segmenter
    from feedseg.settings import Settings
    from feedseg.vision.feedback.base import FeedbackAttention
    from feedseg.vision.feedback.calibrated import CalibratedFeedback
    from feedseg.vocabulary import Vocabulary

__version__: str

__all__ = [
    "CalibratedFeedback",
    "FeedbackAttention",
    "FeedsegError",
    "Segmentation",
    "Segmenter",
    "Settings",
    "Vocabulary",
]

_HOMES = {
    "CalibratedFeedback": "feedseg.vision.feedback.calibrated",
    "FeedbackAttention": "feedseg.vision.feedback.base",
    "FeedsegError": "feedseg.errors",
    "Segmentation": "feedseg.segmentation",
    "Segmenter": "feedseg.segmenter",
    "Settings": "feedseg.settings",
    "Vocabulary": "feedseg.vocabulary",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("feedseg")
    if name not in _HOMES:
        raise AttributeError(f"module 'feedseg' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
