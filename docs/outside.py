"""A hook of mkdocs: what a page says for the repository becomes what a site can show.

Links to files beside docs/ become their names, since a site holds the pages of docs/ only; a block of code that is an
excerpt, which the tests do not run, becomes an ordinary one, since the site's fences know a language and no more.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")
EXCERPT = re.compile(r"^```(\w+) excerpt$", re.M)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page's text, its links out of docs/ replaced: `text (file in the repository)`."""
    folder = posixpath.dirname(page.file.src_uri)

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, link[2]))
        return link[0] if target.startswith("docs/") else f"{link[1]} (`{target}`)"

    return LINK.sub(replaced, EXCERPT.sub(r"```\1", markdown))
