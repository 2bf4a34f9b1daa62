"""What a request asks for, checked before anything is computed: names only, no paths, addresses or code."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from feedseg.apps.limits import Limits
from feedseg.apps.service.refused import RefusedError
from feedseg.decode.refiners import REFINERS
from feedseg.errors import FeedsegError, brief
from feedseg.json_files import parse_json
from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK
from feedseg.vision.hosts import HOSTS
from feedseg.vocabulary import Vocabulary

Form = Literal["png", "rle"]


class Asked(BaseModel):
    """The fields of a request, all but the image."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    words: Annotated[
        str | list[str | list[str]],
        Field(description='"cat; kitten, sofa" (; separates synonyms), or a list of classes', examples=["dog, grass"]),
    ]
    background: Annotated[
        str | list[str], Field(description='"auto", "none", or words for what is none of the classes')
    ] = "auto"
    threshold: Annotated[
        float, Field(ge=0, lt=1, description="Pixels whose best class is less probable become background")
    ] = 0.0
    model: Annotated[str | None, Field(description="One of /v1/models; the first one if left out")] = None
    host: Annotated[str, Field(description="How the last attention is made local")] = "proxyclip"
    feedback: Annotated[str, Field(description="auto, paper, calibrated or none")] = AUTO
    refiners: Annotated[list[str], Field(max_length=8, description="What changes probabilities before labels")] = []
    format: Annotated[
        Form, Field(description="png: one indexed PNG, base64; rle: COCO's run lengths of every class found")
    ] = "png"

    def check_names(self, models: tuple[str, ...]) -> None:
        """Raises RefusedError where a name is not offered: a path or a module of one's own never is."""
        for what, name, offered in (
            ("model", self.model or models[0], models),
            ("host", self.host, HOSTS.names()),
            ("feedback", self.feedback, (*FEEDBACKS.names(), AUTO, NO_FEEDBACK)),
            *(("refiner", name, REFINERS.names()) for name in self.refiners),
        ):
            if name not in offered:
                raise RefusedError(422, f"there is no {what} {brief(name)} here: there are {', '.join(offered)}")

    def vocabulary(self, limits: Limits) -> Vocabulary:
        """The words. Raises RefusedError where they are too many or cannot be used."""
        texts = list(_texts([self.words, self.background]))
        if sum(map(len, texts)) > limits.characters:
            raise RefusedError(413, f"the words have more than {limits.characters:,} characters")
        try:
            words = _read(self.words, self.background, self.threshold)
        except (FeedsegError, ValueError) as error:
            raise RefusedError(422, str(error)) from error
        if (count := sum(map(len, words.words))) > limits.words:
            raise RefusedError(413, f"{count:,} words are more than {limits.words:,}")
        return words


def _read(words: Any, background: Any, threshold: float) -> Vocabulary:
    behind = None if background == "none" else background
    if isinstance(words, str):
        joined = behind if behind is None or isinstance(behind, str) else ", ".join(behind)
        return Vocabulary.parse_line(words, background=joined, threshold=threshold)
    return Vocabulary(words, background=behind, threshold=threshold)


def asked_from_json(content: bytes) -> tuple[Asked, bytes]:
    """The fields and the image of a JSON body, in which the image is base64. Raises RefusedError."""
    try:
        found = parse_json(content)
    except ValueError as error:
        raise RefusedError(422, f"the body is no JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("image"), str):
        raise RefusedError(422, 'the body is an object with the image as base64: {"image": "…", "words": "…"}')
    try:
        image = base64.b64decode(found.pop("image"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RefusedError(422, "the image is no base64") from error
    return checked(found), image


def checked(fields: dict[str, Any]) -> Asked:
    """Fields as a request has them. Raises RefusedError with the first that is wrong."""
    try:
        return Asked.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = first["loc"][0] if first["loc"] else "the request"
        raise RefusedError(422, f"{place}: {first['msg']}") from error


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    else:
        for one in value:
            yield from _texts(one)
