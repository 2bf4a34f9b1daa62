"""Python runs this at the start of the tests' child processes; see `no_network.py`, which is not in their path."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[1] / "no_network.py"))["block"]()
