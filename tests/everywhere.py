"""The whole suite as other processors would run it: `make test-everywhere`.

    python tests/everywhere.py [--log-folder build/test-everywhere] [pytest's options …]

Runs pytest with ATEN_CPU_CAPABILITY = default, avx2 and avx512, each with one thread and with two, whatever fails, and
prints a line for each; what a run said is in the log folder. What the processor lacks is skipped, with a note. The exit
code is 1 if one of them failed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDS = {"default": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"}}
THREADS = (1, 2)


def processor_flags() -> set[str]:
    """What Linux says that the processor can do; nothing is known elsewhere."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    return set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def run(capability: str, threads: int, log: Path, options: list[str]) -> bool:
    """Whether the suite passes; prints its last line."""
    number = str(threads)
    environment = {"ATEN_CPU_CAPABILITY": capability, "FEEDSEG_TEST_THREADS": number, "OMP_NUM_THREADS": number}
    start = time.perf_counter()
    with log.open("w", encoding="utf-8") as file:
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    passed = ended.returncode == 0
    said = (log.read_text(encoding="utf-8").strip().splitlines() or ["nothing"])[-1].strip("= ")
    print(
        f"{capability}, {threads} thread{'s' * (threads > 1)}: {'passed' if passed else 'FAILED'} "
        f"({said}; {time.perf_counter() - start:.0f} s; {log})",
        flush=True,
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-folder", type=Path, default=ROOT / "build/test-everywhere")
    options, of_pytest = parser.parse_known_args()
    options.log_folder.mkdir(parents=True, exist_ok=True)
    known, results = processor_flags(), []
    for capability, threads in product(NEEDS, THREADS):
        missing = NEEDS[capability] - known
        if missing:
            print(
                f"{capability}, {threads} thread{'s' * (threads > 1)}: skipped; this {platform.machine()} processor "
                f"lacks {', '.join(sorted(missing))}"
            )
            continue
        results.append(run(capability, threads, options.log_folder / f"{capability}-{threads}.log", of_pytest))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
