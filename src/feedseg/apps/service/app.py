"""The service's routes. See docs/service.md for what they take and give."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from feedseg.apps.limits import Limits
from feedseg.apps.service.answers import answer, labels_png
from feedseg.apps.service.asked import Asked, asked_from_json, checked
from feedseg.apps.service.described import ANSWERS, BODY
from feedseg.apps.service.guard import Guard
from feedseg.apps.service.kept import EncodedImages
from feedseg.apps.service.measured import Metrics
from feedseg.apps.service.pool import Pool
from feedseg.apps.service.refused import RefusedError
from feedseg.apps.service.worker import Answered, Job, Worker
from feedseg.engine.outcomes import explain
from feedseg.errors import FeedsegError
from feedseg.io.images import RgbImage
from feedseg.io.isolated import IsolatedDecoder
from feedseg.io.limits import FileLimits, TooManyPixelsError, TooSlowError
from feedseg.vision.hosts import HOSTS
from feedseg.weights.catalog import DEFAULT_MODEL

WATCHED = 0.25  # seconds between two looks whether a client is still there
DECODERS = 2  # images that are decoded, or answers that are made, at a time: each takes its pixels' memory
TOO_MANY_FIELDS = 16


@dataclass(frozen=True)
class Service:
    """What is served, and how."""

    models: tuple[str, ...] = (DEFAULT_MODEL,)
    device: str | None = None
    limits: Limits = field(default_factory=Limits)
    token: str | None = field(default=None, repr=False)


class State:
    """What a running service has."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.metrics = Metrics()
        self.decoder = IsolatedDecoder()  # no client's file can end or hold up the process
        self.images = EncodedImages(service.limits.cache_bytes)
        # An image encoded with a model that is given up would keep its weights alive.
        self.pool = Pool(service.device, service.limits.models, lambda _: self.images.clear())
        self.worker = Worker(self.pool, self.images, service.limits, self.metrics)
        self.is_ready, self.fault = False, ""
        self.waiting_bytes = 0  # of decoded images

    def load(self, pool: Pool) -> None:
        """Load the first model; what fails is told in the log, by /readyz and by every request."""
        try:
            pool.segmenter(self.service.models[0], HOST)
            self.is_ready = True
        except Exception as error:  # a defect too, or a lack of memory: nobody may wait for what does not come
            self.fault = explain(error)
            logging.getLogger("uvicorn.error").error(self.fault)


HOST = Asked.model_fields["host"].default


def create_app(service: Service | None = None) -> FastAPI:
    """The application, which loads its first model in the background when it starts.

    Args:
        service: what is served; None for the bundled model and the usual limits.
    """
    state = State(service or Service())
    limits = state.service.limits
    decoding = CapacityLimiter(DECODERS)
    of_image = FileLimits(limits.pixels, limits.bytes, limits.decode_seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.worker.start(state.load)
        state.decoder.start()
        yield
        state.is_ready = False
        await anyio.to_thread.run_sync(state.worker.end)
        state.decoder.close()

    app = FastAPI(
        title="Feedseg",
        version=version("feedseg"),
        description="Open-vocabulary segmentation: an image and words in, a class for every pixel out.",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.feedseg = state
    app.add_middleware(Guard, limits=limits, metrics=state.metrics, token=state.service.token)

    @app.exception_handler(RefusedError)
    async def _refused(_: Request, refusal: RefusedError) -> JSONResponse:
        return JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": f"the request is not valid: {error.errors()[0]['msg']}"}, 422)

    @app.exception_handler(Exception)
    async def _defect(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"unexpected {type(error).__name__}"}, 500)

    @app.post("/v1/segment", openapi_extra=BODY, responses=ANSWERS, summary="Segment an image into the words")
    async def segment(request: Request) -> Response:
        arrived = time.monotonic()
        asked, content = await _read(request)
        if state.fault:
            raise RefusedError(503, state.fault)
        asked.check_names(state.service.models)
        words = asked.vocabulary(limits)
        image = await anyio.to_thread.run_sync(_decoded, content, state.decoder, of_image, limiter=decoding)
        job = Job(
            image=image,
            digest=hashlib.sha256(content).hexdigest(),
            words=words,
            model=asked.model or state.service.models[0],
            host=asked.host,
            feedback=asked.feedback,
            refiners=tuple(asked.refiners),
            deadline=arrived + limits.seconds,
            arrived=arrived,
        )
        if state.waiting_bytes + image.pixels.nbytes > limits.image_bytes:
            raise RefusedError(429, "too many large images wait: try again")
        state.waiting_bytes += image.pixels.nbytes
        try:
            state.worker.submit(job)
            answered = await _awaited(request, job, limits)
        finally:
            state.waiting_bytes -= image.pixels.nbytes
        wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip()  # the first is preferred
        if wanted == "image/png":
            png = await anyio.to_thread.run_sync(labels_png, answered.result, limiter=decoding)
            return Response(png, media_type="image/png")
        content_of = await anyio.to_thread.run_sync(answer, answered.result, asked.format, limiter=decoding)
        return JSONResponse({**content_of, "notes": list(answered.notes), "timing": _timing(answered, arrived)})

    @app.get("/v1/models", summary="What may be asked for")
    async def models() -> dict[str, Any]:
        from feedseg.decode.refiners import REFINERS
        from feedseg.vision.feedback import AUTO, FEEDBACKS, NO_FEEDBACK

        return {
            "models": [{"name": name, "loaded": name in state.pool.loaded} for name in state.service.models],
            "hosts": HOSTS.names(),
            "feedback": [AUTO, *FEEDBACKS.names(), NO_FEEDBACK],
            "refiners": REFINERS.names(),
            "limits": vars(limits),
        }

    @app.get("/healthz", summary="Whether the process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether its first model is loaded", responses={503: {"description": "Not yet"}})
    async def readyz() -> JSONResponse:
        if state.is_ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"error": state.fault or "the model is being loaded"}, 503, {"Retry-After": "2"})

    @app.get("/metrics", summary="Figures for Prometheus", response_class=Response)
    async def metrics() -> Response:
        return Response(state.metrics.text(), media_type="text/plain; version=0.0.4")

    return app


async def _read(request: Request) -> tuple[Asked, bytes]:
    """The fields and the image's bytes of a body. Raises RefusedError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return asked_from_json(await request.body())
    if kind != "multipart/form-data":
        raise RefusedError(415, "the body is multipart/form-data or application/json")
    async with request.form(max_files=1, max_fields=TOO_MANY_FIELDS) as form:
        upload = form.get("image")
        if not isinstance(upload, UploadFile):
            raise RefusedError(422, "the form has no file called image")
        fields: dict[str, Any] = {key: value for key, value in form.items() if key != "image"}
        if "refiners" in fields:
            fields["refiners"] = [name.strip() for name in str(fields["refiners"]).split(",") if name.strip()]
        return checked(fields), await upload.read()


def _decoded(content: bytes, decoder: IsolatedDecoder, limits: FileLimits) -> RgbImage:
    """The image of some bytes. Raises RefusedError."""
    try:
        return decoder(content, "the image", limits)
    except TooManyPixelsError as error:
        raise RefusedError(
            413, f"the image has {error.pixels / 1e6:.1f} million pixels, more than {limits.pixels / 1e6:g} million"
        ) from error
    except TooSlowError as error:
        raise RefusedError(422, f"the image took more than {limits.seconds:g} s to decode") from error
    except FeedsegError as error:
        raise RefusedError(422, str(error)) from error


async def _awaited(request: Request, job: Job, limits: Limits) -> Answered:
    """A job's result. A client that goes away, or whose time is over, frees the job's place. Raises RefusedError."""
    waiting = asyncio.wrap_future(job.future)
    try:
        while True:
            done, _ = await asyncio.wait([waiting], timeout=WATCHED)
            if done:
                return waiting.result()
            if await request.is_disconnected():
                raise RefusedError(499, "the client went away")
            if time.monotonic() > job.deadline:
                raise RefusedError(504, f"no answer within {limits.seconds:g} s")
    except (CancelledError, asyncio.CancelledError) as error:
        raise RefusedError(503, "the service is ending") from error
    finally:
        job.future.cancel()


def _timing(answered: Answered, arrived: float) -> dict[str, Any]:
    timing = answered.timing
    return {
        "waited_ms": round(1000 * timing.waited, 1),
        "encoded_ms": round(1000 * timing.encoded, 1),
        "segmented_ms": round(1000 * timing.segmented, 1),
        "total_ms": round(1000 * (time.monotonic() - arrived), 1),
        "image_was_kept": timing.was_kept,
    }
