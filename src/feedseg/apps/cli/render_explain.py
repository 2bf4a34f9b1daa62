"""`feedseg explain`: what is said beside the figure."""

from __future__ import annotations

from feedseg.explanation import Explanation


def rows(found: Explanation) -> list[tuple[str, str]]:
    """The explanation's figures by their names."""
    height, width = found.grid
    row, column = found.patch
    chosen = "; chosen: feedback changes the most there" if found.chosen else ""
    largest = {
        "host attention": found.host_attention,
        "affinity": found.affinity,
        "after feedback": found.feedback_attention,
    }
    return [
        ("place", f"{found.at[0]:.0f},{found.at[1]:.0f}{chosen}"),
        ("patch", f"row {row + 1} of {height}, column {column + 1} of {width}"),
        ("before", f"{found.before_name} {found.before_probabilities.max():.2f}"),
        ("isolated", f"{found.queries[found.query]} {found.isolated[found.query, row, column]:.2f}"),
        ("after", f"{found.after_name} {found.after_probabilities.max():.2f} ({found.host}, {found.feedback})"),
        *((f"of itself, {name}", f"{values[row, column] / values.sum():.1%}") for name, values in largest.items()),
    ]
