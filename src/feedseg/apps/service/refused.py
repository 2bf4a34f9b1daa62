"""What a request that is not answered gets."""

from __future__ import annotations

from feedseg.errors import FeedsegError

RETRY_AFTER = 2  # seconds


class RefusedError(FeedsegError):
    """A request that is not answered: an HTTP status and one line that says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def headers(self) -> dict[str, str]:
        """What the client is told beside it."""
        if self.status in (429, 503):
            return {"Retry-After": str(RETRY_AFTER)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
