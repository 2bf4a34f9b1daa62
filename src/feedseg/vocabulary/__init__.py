"""The words that an image is asked for: classes with synonyms, a background, a threshold, prompt templates."""

from feedseg.vocabulary.background import AUTO
from feedseg.vocabulary.entries import Words
from feedseg.vocabulary.vocabulary import BACKGROUND, Vocabulary

__all__ = ["AUTO", "BACKGROUND", "Vocabulary", "Words"]
