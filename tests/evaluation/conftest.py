"""A small data set, and an evaluation of it through the Python interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from feedseg.engine.local import Local
from feedseg.evaluation.report.benchmark import BenchmarkReport
from feedseg.evaluation.report.write import Written, write_report
from feedseg.evaluation.request import Request, prepare
from feedseg.evaluation.run import collect, measure, measure_task
from measuring import write_dataset


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TOML file of four drawn scenes."""
    return write_dataset(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., Written]:
    """`evaluate(dataset, out, limit=None)`: measure with the toy model what is missing, and write the report."""

    def run(dataset: Path, out: Path, limit: int | None = None) -> Written:
        request = Request(
            benchmarks=(str(dataset),),
            data=None,
            model="mini",
            options={"host": "proxyclip", "device": "cpu"},
            protocol="fsa",
            changes={"short_side": 48, "window": None},
            threshold=None,
            vocabulary=None,
            limit=limit,
            workers=1,
            out=out,
        )
        runs = prepare(request)
        (totals,) = measure(Local(measure_task(runs), request.workers), runs)
        assert totals.exit_code == 0
        return write_report([BenchmarkReport(one.bench, one.samples, collect(one), one.notes) for one in runs], out)

    return run
