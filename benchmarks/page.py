"""Pages whose tables are made from figures: docs/performance.md and research/notes/performance.md."""

from __future__ import annotations

import re
from collections.abc import Mapping

MARKED = re.compile(r"(<!-- made by bench\.py: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(page: str, sections: Mapping[str, str]) -> str:
    """The page with every marked section filled anew.

    Raises:
        KeyError: the page asks for a section that does not exist.
    """
    return MARKED.sub(lambda match: f"{match[1]}\n{sections[match[2]]}\n{match[3]}", page)


def names(page: str) -> list[str]:
    """Of the sections that the page asks for."""
    return [match[2] for match in MARKED.finditer(page)]
