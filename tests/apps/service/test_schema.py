"""What the service's own schema allows, and what it does not, never makes it fail."""

from __future__ import annotations

import schemathesis
from hypothesis import settings

from feedseg.apps.limits import Limits
from feedseg.apps.service.app import Service, create_app

app = create_app(Service(("mini",), "cpu", Limits()))
schema = schemathesis.openapi.from_asgi("/openapi.json", app)


@schema.parametrize()
@settings(max_examples=12, deadline=None)
def test_nothing_that_is_asked_ends_in_a_defect(case) -> None:
    found = case.call()
    assert found.status_code < 500 or found.status_code == 503, found.text  # 503: the model is still being loaded
    if found.status_code >= 400:
        assert list(found.json()) == ["error"]
