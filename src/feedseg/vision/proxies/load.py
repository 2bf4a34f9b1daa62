"""A proxy from whatever a user calls it."""

from __future__ import annotations

from pathlib import Path

from feedseg.errors import FeedsegError, first_line
from feedseg.registry import imported
from feedseg.vision.proxies import PROXIES
from feedseg.vision.proxies.base import Features, FunctionProxy, Proxy, TowerProxy
from feedseg.weights.catalog import repository_of
from feedseg.weights.checkpoint import find_checkpoint, read_config


def load_proxy(proxy: str | Path | Features | Proxy) -> Proxy:
    """A proxy from "self", a catalog name, a hub id, a local folder, "package.module:Name", or a function.

    Raises:
        FeedsegError: it cannot be found, or is of no known architecture.
    """
    if isinstance(proxy, str) and ":" in proxy and not Path(proxy).is_dir():
        proxy = imported(proxy)
    if isinstance(proxy, type):
        try:
            proxy = proxy()
        except FeedsegError:
            raise
        except Exception as error:  # a class of the user's may raise anything
            name = getattr(proxy, "__qualname__", proxy)
            raise FeedsegError(f"the proxy {name} cannot be made without arguments: {first_line(error)}") from error
    if isinstance(proxy, Proxy):
        return proxy
    if callable(proxy):
        return FunctionProxy(proxy)
    if not isinstance(proxy, (str, Path)):
        raise FeedsegError(f"a proxy is a name, a folder or a function, not {type(proxy).__name__}")
    if proxy == TowerProxy.name:
        return TowerProxy()
    checkpoint = find_checkpoint(repository_of(proxy, "proxy"))
    model_type = read_config(checkpoint).get("model_type")
    families = {name: family for family in map(PROXIES.load, PROXIES.names()) for name in family.model_types}
    if model_type not in families:
        raise FeedsegError(
            f"{checkpoint.source} is a {model_type!r} model, which is no known proxy; known are {', '.join(families)}"
        )
    return families[model_type].open(checkpoint, model_type)
