"""The page of promises names tests that exist."""

from __future__ import annotations

import ast
import re

from paths import ROOT


def test_every_promise_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+\.py)::(\w+)`", page)
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Promise")]
    assert len(named) == len(rows) > 5
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"
