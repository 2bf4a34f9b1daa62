"""`feedseg convert`: its options, and the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedseg.apps.cli import options
from feedseg.apps.cli.options import OUTPUT, option
from feedseg.errors import FeedsegError

if TYPE_CHECKING:
    from feedseg.engine.outcomes import Outcome
    from feedseg.engine.run import Totals
    from feedseg.io.output import Output

EXAMPLES = """Examples:
  feedseg convert feedseg-out --format coco --format geojson
  feedseg convert feedseg-out --format yolo --min-area 0.1% --out cleaned

Exit code: 0 all is well, 1 some results failed, 2 nothing could be started,
130 interrupted.
"""


def convert(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Saved results; searched at any depth.")],
    formats: options.Formats = None,
    out: Annotated[
        str | None, option(OUTPUT, "DIR", "Where the files go; beside the results unless you choose.", "--out", "-o")
    ] = None,
    min_area: options.MinArea = "0",
    fill_holes: options.FillHoles = False,
    connected: options.Connected = False,
    only_with: options.OnlyWith = None,
    only_without: options.OnlyWithout = None,
    help_all: options.HelpAll = False,
) -> None:
    """Write saved results in other formats; no model is loaded.

    Results are what `feedseg segment` has written: b.labels.png and b.labels.json.
    """
    from feedseg.apps.cli.inputs import check_writable
    from feedseg.io.cleaning import Regions
    from feedseg.io.formats import format_names
    from feedseg.io.output import Output
    from feedseg.io.results import find_results

    if not formats:
        raise FeedsegError(f"say which formats: --format coco; there are {', '.join(format_names())}")
    regions = Regions(min_area, fill_holes, connected)
    output = Output.of(formats, regions=regions, only_with=only_with or (), only_without=only_without or ())
    if lacking := output.only_while_segmenting:
        raise FeedsegError(f"{' and '.join(lacking)} cannot be made from saved results: use feedseg segment --format")
    target = folder if out is None else check_writable(out)
    if regions.changes_labels and target.exists() and target.samefile(folder):
        raise FeedsegError(f"--min-area and --fill-holes would change the labels in {folder}: give another --out")
    raise typer.Exit(convert_files(find_results(folder), folder, target, output))


def convert_files(records: list[Path], folder: Path, out: Path, output: Output) -> int:
    """Convert, say what came of it, and return the exit code; see `ConvertFiles` for the arguments."""
    from feedseg.apps.cli.console import complain, console, facts, progress, show
    from feedseg.engine.alone import sole_writer
    from feedseg.engine.convert import ConvertFiles
    from feedseg.engine.local import Local
    from feedseg.engine.outcomes import Failed
    from feedseg.engine.results_folder import journals_of
    from feedseg.engine.run import run
    from feedseg.io.results import known_classes
    from feedseg.io.writers.json import WRITER as RECORD

    output.check_classes(known_classes(records))
    output.check_places(out)
    failures: list[str] = []
    kept: list[Path] = []
    written = {out, *(out / path.parent.relative_to(folder) for path in records)}
    for results in (folder, out):
        if journals_of(results).in_use():
            raise FeedsegError(f"feedseg segment is writing into {results}: wait until it has ended")
    with sole_writer(out, written), progress(visible=True) as bar:
        task = bar.add_task("results", total=len(records))

        def tell(outcome: Outcome[Path, Path | None]) -> None:
            bar.advance(task)
            if isinstance(outcome, Failed):
                named = str(outcome.item).removesuffix(RECORD.suffix) in outcome.reason
                failures.append(outcome.reason if named else f"{outcome.item}: {outcome.reason}")
                complain(failures[-1])
            elif outcome.result is not None:
                kept.append(outcome.result)

        totals = run(Local(ConvertFiles(folder, out, output)), records, progress=tell)
        exported, code = export_run(output, out, kept, totals)
    rows = [("done", f"{totals.done} {'result' if totals.done == 1 else 'results'} → {out}")]
    if left_out := totals.done - len(kept):
        rows.append(("left out", f"{left_out} of them, as --only-with and --only-without say"))
    rows += [("exported", str(path)) for path in exported]
    rows += [("failed", reason) for reason in failures]
    show(console(), facts(rows))
    if totals.interrupted:
        complain(f"interrupted; {totals.done} of {totals.wanted} results are converted")
    return code


def export_run(output: Output, out: Path, records: Sequence[Path], totals: Totals[Any]) -> tuple[list[Path], int]:
    """Write the files of a whole run, unless it was interrupted: those that were written, and the exit code of all."""
    from feedseg.apps.cli.console import complain
    from feedseg.engine.run import SOME_FAILED

    try:
        return ([] if totals.interrupted else list(output.export(out, records).values())), totals.exit_code
    except FeedsegError as error:
        complain(str(error))
        return [], SOME_FAILED
