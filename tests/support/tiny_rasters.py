"""Small georeferenced rasters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def patches(size: tuple[int, int] = (90, 70), bands: int = 3, seed: int = 0) -> np.ndarray:
    """Blocks of random colours under some noise, (bands, height, width) uint8 from 1 on."""
    width, height = size
    random = np.random.default_rng(seed)
    coarse = random.integers(1, 200, (bands, -(-height // 16), -(-width // 16)))
    fine = np.kron(coarse, np.ones((1, 16, 16), int))[:, :height, :width]
    return (fine + random.integers(0, 40, (bands, height, width))).astype(np.uint8)


def write_raster(path: Path | str, values: np.ndarray, **profile: Any) -> Path:
    """Values (bands, height, width) as a GeoTIFF; in UTM with pixels of 10 m unless the profile says otherwise."""
    import rasterio
    from rasterio.transform import from_origin

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    usual = {"crs": "EPSG:32633", "transform": from_origin(500_000, 5_300_000, 10, 10), "driver": "GTiff"}
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype.name}
    with rasterio.open(path, "w", **(usual | shape | profile)) as file:
        file.write(values)
    return path
