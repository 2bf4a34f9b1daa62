"""Where the repository and the data beside it lie, whichever test asks."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"  # reference vectors, photographs, protocols; absent elsewhere
