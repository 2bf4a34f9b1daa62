"""The prompt templates that words are put into."""

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def default_templates() -> tuple[str, ...]:
    """The 80 prompt templates of CLIP's ImageNet protocol (Radford et al., 2021), which the benchmarks use."""
    text = files("feedseg").joinpath("vision/text/templates.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
