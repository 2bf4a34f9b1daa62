"""The hosts: methods that replace the last attention of a vision transformer, one file each."""

from typing import TYPE_CHECKING

from feedseg.registry import Registry

if TYPE_CHECKING:
    from feedseg.vision.hosts.base import Host

HOSTS: "Registry[Host]" = Registry("feedseg.vision.hosts", "HOST", "Host")
