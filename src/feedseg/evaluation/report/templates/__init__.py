"""The templates of reports. Whatever is put into them is escaped, unless it is marked as safe."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedseg.evaluation.report.tables import percent, points, signed


def render(name: str, **values: Any) -> str:
    """The text of a template of this folder with these values."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__name__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters |= {"percent": percent, "points": points, "signed": signed}
    return environment
