"""Words to unit embeddings: text encoders, banks of finished embeddings, templates and caches."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.vision.text.base import TextFamily

TEXT_ENCODERS: "Registry[TextFamily]" = Registry("feedseg.vision.text", "TEXT_ENCODER", "TextFamily")
