"""Proxies: encoders whose features guide a host's attention, one family a file."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.vision.proxies.base import ProxyFamily

PROXIES: "Registry[ProxyFamily]" = Registry("feedseg.vision.proxies", "PROXY", "ProxyFamily")
