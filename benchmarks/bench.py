"""Every figure of speed and memory, in one run: `make bench`.

    python benchmarks/bench.py [--only PART …] [--repeats 3] [--threads N] [--device cuda] [--json FILE]
    python benchmarks/bench.py --quick
    python benchmarks/bench.py --docs

Prints the tables of every part, then all ratios beside their aims. A whole run writes results/bench.json, any other run
only what --json says. --docs measures nothing: it makes the tables and the plot of docs/performance.md and
research/notes/performance.md from results/bench.json. --quick runs everything with tiny sizes, to see that it runs.
Parts: see PARTS and their modules.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import rich.table
import torch
from rich.console import Console

from encoded_image import ENCODED
from feedback import DIRECT, MATRICES, PRUNING
from feedseg.evaluation.report.tables import Table
from growth import GROWTH, growth_chart
from memory import MEMORY
from page import rendered
from parts import Figures, Part, Ratio, Setup, ratio_table
from startup import STARTUP
from throughput import THROUGHPUT
from where_time_goes import PROFILE
from window import ADDED, RATE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results/bench.json"
PAGES = (ROOT / "docs/performance.md", ROOT / "research/notes/performance.md")
PLOT = ROOT / "docs/pictures/growth.svg"
PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        DIRECT,
        MATRICES,
        ADDED,
        RATE,
        PROFILE,
        PRUNING,
        GROWTH,
        ENCODED,
        THROUGHPUT,
        STARTUP,
        MEMORY,
    )
}


def machine(setup: Setup) -> Figures:
    """Where and with what it was measured."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": setup.threads,
        "device": torch.cuda.get_device_name() if setup.device == "cuda" else setup.device,
        "system": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in ("torch", "transformers", "numpy")},
        "repeats": setup.repeats,
        "date": time.strftime("%Y-%m-%d"),
    }


def processor() -> str:
    """Its name and, where Linux knows it, the CPU's number formats that matter here."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return platform.processor() or "unknown"
    lines = dict(line.split("\t", 1) for line in file.read_text().splitlines() if "\t" in line)
    known = {name.strip(): text.strip(": \t") for name, text in lines.items()}
    flags = [flag for flag in ("avx2", "avx512f", "amx_bf16") if flag in known.get("flags", "").split()]
    return ", ".join([known.get("model name", "unknown"), *flags])


def ratios(found: Mapping[str, Figures]) -> list[Ratio]:
    """Of all parts that were measured."""
    return [ratio for name, figures in found.items() for ratio in PARTS[name].ratios(figures)]


def sections(content: Figures) -> dict[str, str]:
    """Of the pages: the tables of every part, the ratios and the machine, by name."""
    found = content["parts"]
    rows = [(what, str(value)) for what, value in content["machine"].items()]
    tables: dict[str, Sequence[Table]] = {
        "ratios": [ratio_table(ratios(found))],
        "machine": [Table("Machine and versions", ("what", "value"), rows)],
    }
    tables |= {name: PARTS[name].tables(figures) for name, figures in found.items()}
    return {name: "\n".join(table.markdown() for table in some).strip() for name, some in tables.items()}


def write_docs() -> None:
    """The pages and the plot, from the figures that are committed."""
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8"), sections(content)), encoding="utf-8")
    PLOT.write_text(growth_chart(content["parts"]["growth"]), encoding="utf-8")


def show(console: Console, table: Table) -> None:
    """A table on the screen."""
    shown = rich.table.Table(*table.headings, title=table.title, caption=table.note, title_justify="left")
    for row in table.rows:
        shown.add_row(*row)
    console.print(shown)


def measure(setup: Setup, names: Sequence[str], console: Console) -> Figures:
    """Measure the parts, showing each."""
    console.print(f"{setup.device}, {setup.threads} threads, {setup.repeats} repeats: median (smallest–largest)")
    found: dict[str, Figures] = {}
    for name in names:
        start = time.perf_counter()
        found[name] = PARTS[name].measure(setup)
        for table in PARTS[name].tables(found[name]):
            show(console, table)
        console.print(f"{name}: {time.perf_counter() - start:.0f} s\n")
    show(console, ratio_table(ratios(found)))
    return {"machine": machine(setup), "parts": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="measure these parts")
    parser.add_argument("--repeats", type=int, help="of every timing; 3, or 1 with --quick")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--docs", action="store_true", help="make the pages from results/bench.json")
    options = parser.parse_args()
    if options.docs:
        write_docs()
        return
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA here")
    torch.set_num_threads(options.threads)
    setup = Setup(options.device, options.threads, options.repeats or (1 if options.quick else 3), options.quick)
    names = options.only or [name for name, part in PARTS.items() if part.can_be_quick or not setup.quick]
    content = measure(setup, names, Console(width=120))
    file = options.json or (None if options.only or setup.quick else RESULTS)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
