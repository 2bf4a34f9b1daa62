"""`feedseg export`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from feedseg.apps.cli import option_values, options
from feedseg.apps.cli.options import MODEL, OUTPUT, flag, option
from feedseg.collector import lasting_imports
from feedseg.vision.feedback import AUTO
from feedseg.weights.catalog import DEFAULT_MODEL

EXAMPLES = """Examples:
  feedseg export --out photo-onnx
  feedseg export --model vit-b-16 --host naclip --feedback none --out b16
"""


def export(
    out: Annotated[Path, option(OUTPUT, "FOLDER", "For the graphs; made here.", "--out", "-o")],
    model: options.ModelName = DEFAULT_MODEL,
    host: options.Host = "proxyclip",
    proxy: options.Proxy = None,
    feedback: Annotated[
        str,
        option(
            MODEL,
            "NAME",
            "Part of the graph: auto, paper, calibrated, near or none.",
            "--feedback",
            show_default=True,
        ),
    ] = AUTO,
    overwrite: Annotated[bool, flag(OUTPUT, "--overwrite", "Replace an earlier export.")] = False,
    class_token: options.ClassToken = None,
    residual: options.Residual = None,
    help_all: options.HelpAll = False,
) -> None:
    """Write a model as ONNX graphs, for programs without torch.

    The folder gets
      image.onnx      windows and words to logits, of every size and number:
                      tower, proxy, host and feedback
      text.onnx       the prompts of a word to its embedding
      tokenizer.json  of the prompts
      export.json     sizes, templates, models and revisions
    The folder is there once both graphs agree with torch at several sizes.
    """
    option_values.known_host(host)
    option_values.known_feedback(feedback)

    with lasting_imports():
        from feedseg.apps.cli.console import console, facts, show, status
        from feedseg.apps.cli.loading import load_segmenter
        from feedseg.engine.onnx_folder import check_place, export_folder
        from feedseg.vision.onnx.export import check_extra

    check_extra()
    check_place(out, overwrite)
    loading = {
        "host": host,
        "proxy": proxy,
        "feedback": feedback,
        "device": "cpu",
        "dtype": "fp32",
        "class_token": class_token,
        "residual": residual,
    }
    segmenter = load_segmenter(model, loading)
    with status("exporting, which takes a minute or two", visible=True):
        agreement = export_folder(segmenter, out, overwrite=overwrite)
    size = sum(path.stat().st_size for path in out.iterdir())
    rows = [
        ("exported", f"{out}, {size / 1e6:,.0f} MB"),
        (
            "compared",
            f"with torch in onnxruntime: {agreement.same_label:.1%} of the labels agree, "
            f"cosines to {agreement.largest_difference:.0e}",
        ),
    ]
    show(console(), facts(rows))
