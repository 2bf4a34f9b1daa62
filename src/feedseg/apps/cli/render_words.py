"""`feedseg models NAME --words`: the words that a model has learnt, on stdout, and what to think of them, on stderr."""

from __future__ import annotations

import json

from feedseg.apps.cli.console import complain, one_line, status, write
from feedseg.vision.model import open_model
from feedseg.vision.text.base import TextEncoder
from feedseg.weights.catalog import CARDS, repository_of


def list_words(name: str, *, as_json: bool) -> None:
    """Print a model's words in alphabetical order, one a line or as a JSON list; null where there is no list.

    Raises:
        FeedsegError: there is no such model, or it cannot be opened.
    """
    source = repository_of(name, "tower")
    text = None
    if name not in CARDS or CARDS[name].is_bundled:  # those of the hub are CLIPs, and need not be downloaded for this
        with status(f"loading {name}", visible=True):
            text = open_model(source).text
    known = None if text is None or not text.known_words else sorted(text.known_words, key=str.casefold)
    if as_json:
        write(json.dumps(known, ensure_ascii=False))
    elif known:
        write("\n".join(map(one_line, known)))
    complain(f"{name}: {_said(text)}")


def _said(text: TextEncoder | None) -> str:
    if text is None or not text.known_words:
        return "takes any word, and has no list"
    count = f"{len(text.known_words)} words"
    if text.takes_any_word:
        return f"it was fitted to these {count}; others work as well, the better the more they are like them"
    phrases = None not in text.meant([" ".join(text.known_words[:2])])
    return f"it knows these {count}{' and phrases of them' if phrases else ''}, and no others"
