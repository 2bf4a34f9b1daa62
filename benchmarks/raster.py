"""Rasters of several sizes through `feedseg segment`: the most memory that the process holds, and where the time goes.

    python benchmarks/raster.py [--sides 4096 12288] [--window 112] [--stride 112] [--folder FOLDER] [--json FILE]

Square rasters of drawn scenes side by side, in UTM, in compressed blocks, with a corner that holds no data; the bundled
toy model on a CPU with one thread; labels, JSON and GeoJSON are written. Every raster goes through a process of its
own, whose largest resident size the operating system tells.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from feedseg.evaluation.scenes import draw_scene
from feedseg.io.raster.gdal import environment

SCENE = 512  # pixels along a side of a scene
SCENES = 24  # different ones
WORDS = "striped, dotted, bricks, checked, red, blue"


def write_scenes(path: Path, side: int) -> None:
    """A square raster of scenes side by side, a row of them at a time."""
    drawn = [draw_scene(seed, SCENE).image.transpose(2, 0, 1) for seed in range(SCENES)]
    random = np.random.default_rng(0)
    with environment() as rasterio:
        profile = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000), "nodata": 0}
        profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "lzw"}
        shape = {"height": side, "width": side, "count": 3, "dtype": "uint8"}
        with rasterio.open(path, "w", driver="GTiff", **profile, **shape) as file:
            for top in range(0, side, SCENE):
                chosen = random.integers(SCENES, size=-(-side // SCENE))
                row = np.concatenate([drawn[index] for index in chosen], axis=2)
                row = row[:, : side - top, :side].copy()
                row[:, :, : max(0, side // 4 - top)] = 0
                file.write(row, window=((top, top + row.shape[1]), (0, side)))


def measured(folder: Path, side: int, options: argparse.Namespace) -> dict[str, Any]:
    """Megabytes, seconds, and megabytes of the files."""
    source, out = folder / f"{side}.tif", folder / f"out-{side}"
    write_scenes(source, side)
    sizes = ["--window", str(options.window), "--stride", str(options.stride)]
    command = [sys.executable, "-m", "feedseg", "segment", str(source), "--labels", WORDS, "--model", "mini", *sizes]
    command += ["--device", "cpu", "--format", "labels", "--format", "geojson", "--out", str(out)]
    start = time.perf_counter()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"feedseg segment ended with {process.returncode}")
    return {
        "side": side,
        "peak_mb": usage.ru_maxrss / 1024 if sys.platform == "linux" else usage.ru_maxrss / 2**20,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "pixels_mb": side * side * 3 / 1e6,
        "files_mb": {path.name: path.stat().st_size / 1e6 for path in sorted(out.iterdir()) if path.is_file()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[4096, 12288], help="pixels along a side")
    parser.add_argument("--window", type=int, default=112)
    parser.add_argument("--stride", type=int, default=112)
    parser.add_argument("--folder", type=Path, help="for the rasters and results; else one that is removed")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    results = []
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for side in options.sides:
            one = measured(folder, side, options)
            results.append(one)
            files = ", ".join(f"{name} {size:.1f}" for name, size in one["files_mb"].items())
            print(
                f"{side} × {side}: at most {one['peak_mb']:.0f} MB, {one['seconds']:.0f} s "
                f"({one['cpu_seconds']:.0f} s of CPU); its pixels are {one['pixels_mb']:.0f} MB; files (MB): {files}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
