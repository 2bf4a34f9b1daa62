"""How long something will take, told when that is long: measured from its own first parts, not guessed."""

from __future__ import annotations

import time
from collections.abc import Callable

from feedseg.errors import warn_user

LONG = 600.0  # seconds, from which on it is told


class Pace:
    """Tells once how long all parts will take, if that is more than ten minutes. For one thread."""

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        sure: float = 2.0,
        tell: Callable[[str], None] = warn_user,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The first part begins now.

        Args:
            what: the parts, in the plural.
            advice: what to do to make it shorter.
            sure: seconds after which the first parts say enough of all others.
            tell: is given the line.
            clock: seconds.
        """
        self._what, self._advice = what, advice
        self._sure, self._tell, self._clock = sure, tell, clock
        self._start = clock()
        self._is_told = False

    def done(self, parts: int, total: int) -> None:
        """So many parts of so many are done."""
        elapsed = self._clock() - self._start
        if self._is_told or not parts or elapsed < self._sure:
            return
        self._is_told = True
        if (whole := elapsed / parts * total) > LONG:
            advice = f": {self._advice}" if self._advice else ""
            self._tell(f"{total:,} {self._what} take about {duration(whole)}, {elapsed / parts:.2g} s each{advice}")


def duration(seconds: float) -> str:
    """Seconds in the unit in which people would say it."""
    for size, unit, least in ((86400.0, "days", 2.0), (3600.0, "hours", 2.0), (60.0, "minutes", 2.0)):
        if seconds >= least * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
