"""What OpenAPI says of `POST /v1/segment`, whose body comes in two forms."""

from __future__ import annotations

from typing import Any

from feedseg.apps.service.asked import Asked

_SCHEMA = Asked.model_json_schema()
_FIELDS: dict[str, Any] = _SCHEMA["properties"]
_TEXT = {"type": "string"}
_FORM = {
    **{key: {**_TEXT, "description": value.get("description", "")} for key, value in _FIELDS.items()},
    "format": _FIELDS["format"],
    "image": {**_TEXT, "format": "binary", "description": "The file: JPEG, PNG, WebP, TIFF, …"},
}
_JSON = {**_FIELDS, "image": {**_TEXT, "contentEncoding": "base64", "description": "The file, base64"}}
_EXAMPLE = {"image": "iVBORw0KGgo…", "words": "dog; puppy, grass", "background": "auto", "format": "rle"}


def _body(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["image", "words"], "properties": properties, "additionalProperties": False}


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _body(_FORM)},
            "application/json": {"schema": _body(_JSON), "example": _EXAMPLE},
        },
    }
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}
_RESULT = {
    "width": 500,
    "height": 281,
    "classes": [
        {
            "index": 1,
            "name": "dog",
            "words": ["dog", "puppy"],
            "pixels": 24310,
            "area_fraction": 0.173,
            "mean_confidence": 0.91,
            "mask": {"size": [281, 500], "counts": "PX3…"},
        }
    ],
    "notes": [],
    "timing": {"waited_ms": 0.4, "encoded_ms": 310.2, "segmented_ms": 41.0, "total_ms": 355.1, "image_was_kept": False},
}


def _failed(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _ERROR}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Masks; with `Accept: image/png` the labels as an indexed PNG alone",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": _RESULT},
            "image/png": {"schema": {**_TEXT, "format": "binary"}},
        },
    },
    400: _failed("A form that cannot be read"),
    401: _failed("No token, or a wrong one"),
    408: _failed("The request was sent too slowly"),
    413: _failed("Too many bytes, pixels, words or characters"),
    415: _failed("Neither a form nor JSON"),
    422: _failed("An image, words or an option that cannot be used"),
    429: _failed("Too many requests at a time; see Retry-After"),
    503: _failed("Not ready, ending, or out of memory; see Retry-After"),
    504: _failed("Not answered in time"),
}
