"""Names for what can be plugged in: every host, tower, proxy, feedback, refiner, source and writer is one file.

A registry lists the modules of a package that define its attribute, without importing them. A new one is therefore one
new file and no other line changed; one of a user's own is passed as an object, or named "package.module:Name".
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar, cast

from feedseg.errors import FeedsegError, brief, first_line

T = TypeVar("T")


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The modules of `package` that define `attribute`, an object of the class `base` of the package's module `base`.

    A module's name, with hyphens for underscores, is the registered name.
    """

    package: str  # "feedseg.vision.hosts"
    attribute: str  # "HOST"
    base: str  # "Host"
    renamed: tuple[tuple[str, str], ...] = ()  # modules that are registered under another name than their own

    @property
    def noun(self) -> str:
        """What one of them is called in a sentence."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.base).lower()

    @cached_property
    def _modules(self) -> dict[str, str]:
        defines = re.compile(rf"^{self.attribute}\b\s*[:=]", re.MULTILINE)
        found = {}
        renamed = dict(self.renamed)
        spec = find_spec(self.package)
        for module in iter_modules(spec.submodule_search_locations if spec else None):
            full = f"{self.package}.{module.name}"
            loader: Any = getattr(find_spec(full), "loader", None)
            if loader is not None and defines.search(loader.get_source(full) or ""):
                found[renamed.get(module.name, module.name.replace("_", "-"))] = full
        return found

    def names(self) -> list[str]:
        """The registered names, sorted; nothing is imported."""
        return sorted(self._modules)

    def load(self, wanted: str | T | type[T]) -> T:
        """The object of a registered name or of "package.module:Name"; an object is returned as it is.

        A class is called without arguments.

        Raises:
            FeedsegError: there is no such name, or what it stands for is something else.
        """
        if isinstance(wanted, str):
            if ":" in wanted:
                return self._checked(imported(wanted), wanted)
            if wanted not in self._modules:
                raise FeedsegError(self.unknown(wanted))
            wanted = getattr(import_module(self._modules[wanted]), self.attribute)
        return self._checked(wanted, brief(wanted))

    def unknown(self, name: str) -> str:
        """What to say of a name that is not registered."""
        near = get_close_matches(name, self.names())
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return (
            f"there is no {self.noun} {brief(name)}; {hint}there are {', '.join(self.names())}, or package.module:Name"
        )

    def _checked(self, found: Any, name: str) -> T:
        base = getattr(import_module(f"{self.package}.base"), self.base)
        if isinstance(found, type) and issubclass(found, base):
            try:
                found = found()
            except Exception as error:  # a class of the user's may raise anything
                raise FeedsegError(f"{name} cannot be made without arguments: {first_line(error)}") from error
        if not isinstance(found, base):
            raise FeedsegError(f"{name} is no {self.noun}: it is not derived from {self.package}.base.{self.base}")
        return cast(T, found)


def imported(name: str) -> Any:
    """What "package.module:Name" stands for; modules in the current directory are found as well.

    Raises:
        FeedsegError: it cannot be imported.
    """
    module, _, attribute = name.partition(":")
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 -- for good, so that what is pickled is found there too
        sys.path.append(here)
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # a module of the user's may raise anything while it is imported
        raise FeedsegError(f"{name} cannot be imported: {type(error).__name__}: {first_line(error)}") from error
