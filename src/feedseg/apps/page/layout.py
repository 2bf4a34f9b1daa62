"""What is on the page: Gradio draws it. `feedseg.apps.page.events` says what happens."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files as packaged
from typing import Literal

import gradio as gr

from feedseg.apps.page import downloads, examples
from feedseg.apps.page.controls import Controls, controls
from feedseg.apps.page.session import Session, said
from feedseg.apps.page.wanted import Offered

HEAD = (
    '<div class="fs-head"><h1>Feedseg</h1>'
    "<p>Say in your own words what is in a photo. Every pixel gets one of them.</p></div>"
)
KEPT = 3600  # seconds that uploads and what people asked for are kept after they were last used


@dataclass(frozen=True, eq=False)
class Parts:
    """The components that events read and change."""

    state: gr.State
    photo: gr.Image
    words: gr.Textbox
    run: gr.Button
    choice: gr.HTML  # of an example
    controls: Controls
    told: gr.HTML
    viewer: gr.HTML
    patch: gr.HTML
    legend: gr.HTML
    formats: gr.CheckboxGroup
    make: gr.Button
    made: gr.File
    failed: gr.HTML
    command: gr.Code
    program: gr.Code


def asset(name: str) -> str:
    """The text of a file beside this one."""
    return (packaged("feedseg.apps.page") / name).read_text(encoding="utf-8")


def layout(offered: Offered) -> Parts:
    """The components, drawn where this is called: photo and words first, then the result, the rest folded."""
    state = gr.State(Session(), time_to_live=KEPT)
    gr.HTML(HEAD)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            photo = gr.Image(
                type="filepath",
                image_mode=None,
                sources=["upload", "webcam", "clipboard"],
                label="Photo",
                height=240,
                buttons=[],
                elem_id="fs-photo",
            )
            words = gr.Textbox(
                label="Words",
                placeholder="cat; kitten, sofa, window",
                info="Commas between classes, semicolons between names of the same class.",
                max_lines=3,
                elem_id="fs-words",
            )
            run = gr.Button("Name every pixel", variant="primary", elem_id="fs-run")
            gr.HTML('<p class="fs-small">Or begin with an example:</p>')
            choice = gr.HTML(examples.buttons(), js_on_load=asset("examples.js"), elem_id="fs-choice")
            with gr.Accordion("Advanced", open=False, elem_id="fs-advanced"):
                chosen = controls(offered)
        with gr.Column(scale=7, min_width=320):
            told = gr.HTML(said("Give a photo and words, or choose an example."), elem_id="fs-told")
            viewer = gr.HTML(
                None,
                html_template=asset("viewer.html"),
                css_template=asset("viewer.css"),
                js_on_load=asset("viewer.js"),
                apply_default_css=False,
                elem_id="fs-result",
            )
            patch = gr.HTML("", js_on_load=asset("patch.js"), elem_id="fs-patch", elem_classes="fs-patch")
            legend = gr.HTML(
                None,
                html_template=asset("legend.html"),
                css_template=asset("legend.css"),
                js_on_load=asset("legend.js"),
                apply_default_css=False,
                elem_id="fs-legend",
            )
            with gr.Accordion("Download", open=False, elem_id="fs-download"):
                formats = gr.CheckboxGroup(
                    downloads.available(), value=list(downloads.USUAL), label="Formats", elem_id="fs-formats"
                )
                make = gr.Button("Make the files", elem_id="fs-make")
                failed = gr.HTML("")
                made = gr.File(
                    label="Files", file_count="multiple", interactive=False, visible=False, elem_id="fs-files"
                )
            with gr.Accordion("The same by command line and Python", open=False, elem_id="fs-same"):
                command = _program("shell", "Command line", "fs-command")
                program = _program("python", "Python", "fs-program")
    return Parts(
        state=state,
        photo=photo,
        words=words,
        run=run,
        choice=choice,
        controls=chosen,
        told=told,
        viewer=viewer,
        patch=patch,
        legend=legend,
        formats=formats,
        make=make,
        made=made,
        failed=failed,
        command=command,
        program=program,
    )


def _program(language: Literal["shell", "python"], label: str, name: str) -> gr.Code:
    """A text to copy."""
    return gr.Code(
        "",
        language=language,
        label=label,
        interactive=False,
        lines=1,
        wrap_lines=True,
        show_line_numbers=False,
        elem_id=name,
    )
