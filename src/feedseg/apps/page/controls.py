"""The controls for those who want more than words: each has a usual value and a line that says what it does."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import gradio as gr

from feedseg.apps.page.wanted import Offered, Wanted
from feedseg.decode.refiners import REFINERS
from feedseg.settings import SPEEDS
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.vision.hosts import HOSTS
from feedseg.weights.catalog import CARDS


@dataclass(frozen=True)
class Controls:
    """The controls in the order of the fields of `Wanted` after its words."""

    model: gr.Dropdown
    host: gr.Dropdown
    proxy: gr.Dropdown
    speed: gr.Radio
    feedback: gr.Radio
    background: gr.Textbox
    threshold: gr.Slider
    refiners: gr.CheckboxGroup

    @property
    def all(self) -> list[Any]:
        """In their order."""
        return [getattr(self, name) for name in self.__dataclass_fields__]

    @property
    def changes(self) -> list[Any]:
        """The events by which somebody says that a control has its new value."""
        return [
            self.model.input,
            self.host.input,
            self.proxy.input,
            self.speed.input,
            self.feedback.input,
            self.background.submit,
            self.threshold.release,
            self.refiners.input,
        ]


def controls(offered: Offered) -> Controls:
    """The controls, drawn where this is called."""
    usual = Wanted("", offered.models[0])
    return Controls(
        model=gr.Dropdown(
            [(_model(name), name) for name in offered.models],
            value=usual.model,
            label="Model",
            info="What looks at the photo and knows the words.",
        ),
        host=gr.Dropdown(
            [(f"{name}: {HOSTS.load(name).title}", name) for name in HOSTS.names()],
            value=usual.host,
            label="Host",
            info="What the model's last attention becomes, so that every patch speaks for itself.",
        ),
        proxy=gr.Dropdown(
            list(offered.proxies),
            value=usual.proxy,
            label="Proxy",
            info="The encoder that guides proxyclip and corrclip. auto: what suits the model; self: the model's own.",
        ),
        speed=gr.Radio(
            list(SPEEDS),
            value=usual.speed,
            label="Speed",
            info="protocol: overlapping windows as published; fast: each part once; fastest: a coarser proxy too. "
            "A model that looks at whole photos, as photo does, leaves nothing out.",
        ),
        feedback=gr.Radio(
            [AUTO, *FEEDBACKS.names(), NO_FEEDBACK],
            value=usual.feedback,
            label="Feedback",
            info="Corrects the attention by what it made the patches predict. auto: what suits the model.",
        ),
        background=gr.Textbox(
            value=usual.background,
            label="Background",
            info="What is none of the words: auto (usual surroundings), none (every pixel gets a word), or words.",
            max_lines=1,
        ),
        threshold=gr.Slider(
            0,
            0.95,
            value=usual.threshold,
            step=0.05,
            label="Threshold",
            info="Pixels whose best class is less probable become background.",
        ),
        refiners=gr.CheckboxGroup(
            [(f"{name}: {_refiner(name)}", name) for name in REFINERS.names()],
            value=[],
            label="Refiners",
            info="Change the probabilities before they become classes, one after the other.",
        ),
    )


def _model(name: str) -> str:
    card = CARDS.get(name)
    return f"{name}: {card.title}" if card else name


def _refiner(name: str) -> str:
    """What a refiner does: the beginning of its file's first line."""
    text = sys.modules[type(REFINERS.load(name)).__module__].__doc__ or ""
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first.split(":")[0].split(", as ")[0].rstrip(".").lower()
