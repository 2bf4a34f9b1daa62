"""What somebody asks the page for: the words and every control, as plain values that can be kept and compared."""

from __future__ import annotations

from dataclasses import dataclass

from feedseg.apps.limits import Limits
from feedseg.apps.service.asked import Asked, checked
from feedseg.errors import FeedsegError, brief
from feedseg.settings import SPEEDS
from feedseg.vision.feedback import AUTO
from feedseg.vocabulary import Vocabulary

SUGGESTED = "auto"  # the proxy that the model or the catalog suggests
OWN_TOKENS = "self"  # the tower's own tokens as the proxy: nothing to download
NO_BACKGROUND = "none"


@dataclass(frozen=True)
class Offered:
    """The models and proxies that the page lets people choose from; all else is registered."""

    models: tuple[str, ...]
    proxies: tuple[str, ...] = (SUGGESTED, OWN_TOKENS)


@dataclass(frozen=True)
class Wanted:
    """The words and the controls. The defaults are those of `feedseg segment`."""

    words: str
    model: str
    host: str = "proxyclip"
    proxy: str = SUGGESTED
    speed: str = SPEEDS[0]
    feedback: str = AUTO
    background: str = "auto"  # or "none", or words
    threshold: float = 0.0
    refiners: tuple[str, ...] = ()

    @property
    def own_proxy(self) -> str | None:
        """The proxy as `Segmenter.load` takes it."""
        return None if self.proxy == SUGGESTED else self.proxy

    def check_names(self, offered: Offered) -> None:
        """Raises FeedsegError where a name is not offered: a path or a module of one's own never is."""
        if self.proxy not in offered.proxies:
            raise FeedsegError(f"there is no proxy {brief(self.proxy)} here: there are {', '.join(offered.proxies)}")
        if self.speed not in SPEEDS:
            raise FeedsegError(f"there is no speed {brief(self.speed)} here: there are {', '.join(SPEEDS)}")
        self._asked().check_names(offered.models)

    def vocabulary(self, limits: Limits) -> Vocabulary:
        """The words. Raises FeedsegError where there are none, too many, or they cannot be used.

        The service's own checks: a page is asked by people whom nobody knows, too.
        """
        if not self.words.strip(" \t\n,;"):
            raise FeedsegError("type what to look for, for example: cat, sofa, window")
        return self._asked().vocabulary(limits)

    def _asked(self) -> Asked:
        """The same as the service has it."""
        return checked(
            {
                "words": self.words,
                "background": self.background.strip() or NO_BACKGROUND,
                "threshold": self.threshold,
                "model": self.model,
                "host": self.host,
                "feedback": self.feedback,
                "refiners": list(self.refiners),
            }
        )
