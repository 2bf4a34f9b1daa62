"""The table of all results as Parquet."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from feedseg.io.exports.base import Export
from feedseg.io.exports.csv import COLUMNS, rows

if TYPE_CHECKING:
    from feedseg.io.results import Results

GROUP = 65_536  # rows that are held at a time


class ParquetExport(Export):
    """The rows and columns of `feedseg.io.exports.csv`, typed."""

    name = "parquet"
    file = "results.parquet"
    description = "the rows of csv, for pandas, polars and DuckDB"
    packages = ("pyarrow",)

    def fill(self, results: Results, path: Path) -> None:
        """See `Export.fill`."""
        import pyarrow as pa
        from pyarrow import parquet

        kinds: dict[type, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()], metadata={"made by": "feedseg"})
        left = rows(results)
        with parquet.ParquetWriter(path, schema) as writer:
            while group := list(islice(left, GROUP)):
                writer.write_table(pa.Table.from_pylist(group, schema))


EXPORT = ParquetExport()
