"""The service's answers against the library's, and what it refuses."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import hostile_decoder
from bombs import progressive_bomb
from feedseg import Segmentation, Segmenter, Vocabulary
from feedseg.apps.service import worker as worker_module
from feedseg.apps.service.refused import RefusedError
from feedseg.io.images import decode_image

WORDS = "striped, dotted, bricks"
Served = Callable[..., TestClient]


def ask(client: TestClient, picture: bytes, words: Any = WORDS, **fields: Any) -> Any:
    return client.post("/v1/segment", files={"image": picture}, data={"words": words, "background": "none", **fields})


def ask_json(client: TestClient, picture: bytes, words: Any = WORDS, **fields: Any) -> Any:
    body = {"image": base64.b64encode(picture).decode(), "words": words, "background": "none", **fields}
    return client.post("/v1/segment", json=body)


def labels_of(content: str | bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(content) if isinstance(content, str) else content)))


def test_many_at_once_get_what_the_library_says_each_for_its_own_image_and_words(
    served: Served, pictures: list[bytes], library: Callable[..., Segmentation]
) -> None:
    client = served()
    vocabularies = [WORDS, "netted, marbled", "checked, zigzag, scaly, dotted"]
    asked = [(picture, words) for picture in pictures for words in vocabularies] * 2
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda one: ask(client, *one).json(), asked))
    for (picture, words), found in zip(asked, answers, strict=True):
        expected = library(picture, words)
        np.testing.assert_array_equal(labels_of(found["labels_png"]), expected.labels)
        assert [one["name"] for one in found["classes"]] == list(expected.names)
        assert found["mean_confidence"] == pytest.approx(expected.mean_confidence, abs=1e-6)
        for one in found["classes"]:
            assert one["pixels"] == expected.pixels[one["name"]]
            assert one["area_fraction"] == pytest.approx(expected.area_fractions[one["name"]])


def test_run_lengths_are_read_by_coco(
    served: Served, pictures: list[bytes], library: Callable[..., Segmentation]
) -> None:
    coco: Any = pytest.importorskip("pycocotools.mask")
    found = ask_json(served(), pictures[0], ["striped", ["dotted", "netted"], "bricks"], format="rle").json()
    expected = library(pictures[0], ["striped", ["dotted", "netted"], "bricks"])
    for one in found["classes"]:
        mask = expected.labels == one["index"]
        assert (one["mask"] is None) == (not mask.any())
        if one["mask"]:
            np.testing.assert_array_equal(coco.decode(one["mask"]), mask)


def test_the_png_alone_and_options(served: Served, pictures: list[bytes], library: Callable[..., Segmentation]) -> None:
    client = served()
    for options in (
        {"host": "clearclip", "feedback": "none"},
        {"feedback": "calibrated", "threshold": 0.5, "background": "netted"},
        {"refiners": "small-areas"},
    ):
        fields = {"words": WORDS, "background": "none"} | options
        found = client.post("/v1/segment", files={"image": pictures[1]}, data=fields, headers={"Accept": "image/png"})
        assert found.headers["content-type"] == "image/png"
        from feedseg import Vocabulary

        words = Vocabulary.parse_line(WORDS, options.get("background"), float(options.get("threshold", 0)))
        segmenter = Segmenter.load("mini", host=options.get("host", "proxyclip"))
        expected = segmenter(
            Image.open(BytesIO(pictures[1])),
            words,
            feedback=options.get("feedback", "auto"),
            refiners=[options["refiners"]] if "refiners" in options else [],
        )
        np.testing.assert_array_equal(labels_of(found.content), expected.labels)


def test_other_words_for_the_same_image_need_no_tower(
    served: Served, pictures: list[bytes], library: Callable[..., Segmentation]
) -> None:
    client = served()
    first, again = ask(client, pictures[2]).json(), ask(client, pictures[2], "netted, marbled").json()
    assert (first["timing"]["image_was_kept"], again["timing"]["image_was_kept"]) == (False, True)
    assert again["timing"]["encoded_ms"] == 0 < first["timing"]["encoded_ms"]
    np.testing.assert_array_equal(labels_of(again["labels_png"]), library(pictures[2], "netted, marbled").labels)
    assert not ask(client, pictures[2], host="clip").json()["timing"]["image_was_kept"]


def test_what_is_kept_stays_within_its_bytes(served: Served, pictures: list[bytes]) -> None:
    client = served(cache_bytes=900_000)
    kept = client.app.state.feedseg.images  # type: ignore[attr-defined]
    for picture in pictures * 2:
        assert ask(client, picture).status_code == 200
        assert 0 < kept.bytes <= 900_000
    assert len(kept._kept) < len(pictures)
    assert not ask(served(cache_bytes=0), pictures[0]).json()["timing"]["image_was_kept"]


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ({"words": ""}, 422, "class"),
        ({"words": "unheard-of thing"}, 422, "unheard-of thing"),
        ({"words": "striped, {0.__class__}"}, 422, ""),
        ({"model": "/etc"}, 422, "there is no model '/etc' here: there are mini"),
        ({"model": "https://example.org/x"}, 422, "there is no model"),
        ({"host": "os:system"}, 422, "there is no host 'os:system' here"),
        ({"feedback": "os:system"}, 422, "there is no feedback"),
        ({"refiners": "os:system"}, 422, "there is no refiner"),
        ({"threshold": "2"}, 422, "threshold: "),
        ({"threshold": "nan"}, 422, "threshold: "),
        ({"format": "gif"}, 422, "format: "),
        ({"path": "/etc/passwd"}, 422, "path: "),
        ({"words": "a" * 30_000}, 413, "more than 20,000 characters"),
        ({"words": ", ".join(f"w{number}" for number in range(600))}, 413, "600 words are more than 500"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_short_line(
    fields: dict[str, str], status: int, expected: str, served: Served, pictures: list[bytes]
) -> None:
    client = served()
    found = ask(client, pictures[0], **{"words": WORDS, **fields})
    assert found.status_code == status, found.text
    error = found.json()["error"]
    assert expected in error
    assert "\n" not in error
    assert len(error) < 500
    assert ask(client, pictures[0]).status_code == 200


def test_an_image_that_crashes_or_holds_up_its_decoder_is_refused_and_the_service_goes_on(
    served: Served, pictures: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile_decoder.install(tmp_path / "hostile", monkeypatch)
    client = served(decode_seconds=1.5)
    assert ask(client, pictures[0]).status_code == 200
    for width, said in (
        (hostile_decoder.CRASHES, "the image cannot be read: its decoder crashed (SIGABRT)"),
        (hostile_decoder.HANGS, "the image took more than 1.5 s to decode"),
    ):
        file = BytesIO()
        Image.new("L", (width, 9)).save(file, "PNG")
        found = ask(client, file.getvalue())
        assert (found.status_code, found.json()["error"]) == (422, said)
    assert ask(client, progressive_bomb(4000, 20_000)).status_code == 422
    assert ask(client, pictures[0]).status_code == 200


def test_images_and_bodies_that_cannot_be_used_are_told(served: Served, pictures: list[bytes]) -> None:
    client = served(pixels=20_000, bytes=100_000)
    large = BytesIO()
    Image.new("L", (200, 200)).save(large, "PNG")
    assert ask(client, large.getvalue()).status_code == 413
    assert ask(client, b"x" * 200_000).status_code == 413
    for content in (b"", b"no image", pictures[0][:200], b"%!PS-Adobe-3.0\n"):
        found = ask(client, content)
        assert (found.status_code, "the image" in found.json()["error"]) == (422, True)
    json_type = {"Content-Type": "application/json"}
    chunks = iter([b"x" * 60_000] * 4)  # sent without a length
    assert client.post("/v1/segment", content=chunks, headers=json_type).status_code == 413
    for body in (b"", b"[]", b"{", b"[" * 50_000, b'{"image": 5, "words": "a"}', b'{"image": "#", "words": "a"}'):
        assert client.post("/v1/segment", content=body, headers=json_type).status_code == 422
    assert client.post("/v1/segment", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/segment", content=b"--y", headers=broken).status_code in (400, 422)
    assert (
        client.post("/v1/segment", data={"image": "/etc/passwd", "words": WORDS}, files={"x": b""}).status_code == 422
    )
    assert ask(client, pictures[0]).status_code == 200


def test_a_token_is_needed_but_by_those_who_watch(served: Served, pictures: list[bytes]) -> None:
    client = served(token="secret")
    assert client.get("/healthz").status_code == 200
    for headers in ({}, {"Authorization": "Bearer secreT"}, {"Authorization": "secret"}):
        for path in ("/v1/models", "/metrics", "/openapi.json"):
            assert client.get(path, headers=headers).status_code == 401
    assert client.post("/v1/segment", headers={"Authorization": "Bearer x"}).status_code == 401
    assert client.get("/v1/models", headers={"Authorization": "Bearer secret"}).json()["models"][0]["name"] == "mini"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Event:
    """An event that every computation waits for."""
    gate, compute = Event(), worker_module._segmented

    def segmented(*arguments: Any) -> Any:
        assert gate.wait(30)
        return compute(*arguments)

    monkeypatch.setattr(worker_module, "_segmented", segmented)
    return gate


def test_those_who_do_not_fit_into_the_queue_are_sent_away_for_a_while(
    served: Served, pictures: list[bytes], held: Event
) -> None:
    client = served(queue=3)
    with ThreadPoolExecutor(3) as threads:
        accepted = [threads.submit(ask, client, picture) for picture in pictures[:3]]
        while client.get("/metrics").text.count("feedseg_requests_now 3.0") == 0:
            time.sleep(0.01)
        away = ask(client, pictures[3])
        assert (away.status_code, away.headers["retry-after"]) == (429, "2")
        assert client.get("/healthz").status_code == 200
        held.set()
        assert [one.result().status_code for one in accepted] == [200] * 3
    assert ask(client, pictures[3]).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(served: Served, pictures: list[bytes], held: Event) -> None:
    client = served(seconds=0.6, batch=1)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(ask, client, picture) for picture in pictures[:2]]
        assert [one.result().status_code for one in asked] == [504, 504]
    held.set()
    assert "feedseg_abandoned_total" in client.get("/metrics").text


def test_a_defect_is_one_line_and_the_next_request_is_answered(
    served: Served, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = served()
    with monkeypatch.context() as patched:
        patched.setattr(Segmenter, "encode_many", lambda *_, **__: 1 / 0)
        found = ask(client, pictures[0])
        assert (found.status_code, found.json()) == (500, {"error": "unexpected ZeroDivisionError"})
        assert "unexpected ZeroDivisionError: division by zero" in [record.getMessage() for record in caplog.records]
        patched.setattr(Segmenter, "encode_many", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        assert ask(client, pictures[0]).status_code == 503
    assert ask(client, pictures[0]).status_code == 200


def test_one_image_that_fails_does_not_take_its_batch_with_it(
    served: Served, pictures: list[bytes], library: Callable[..., Segmentation], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = served()
    state = client.app.state.feedseg  # type: ignore[attr-defined]
    of_mini = state.pool._segmenters["mini"]
    of_mini["proxyclip", None] = replace(of_mini["proxyclip", None], batch_size=4)  # as on an accelerator
    common = (Vocabulary.of(WORDS), "mini", "proxyclip", "auto", (), 1e12)
    images = [decode_image(BytesIO(picture), "x") for picture in pictures[:3]]
    jobs = [worker_module.Job(image, str(number), *common) for number, image in enumerate(images)]
    encode = Segmenter.encode_many

    def failing(self: Segmenter, images: Any, **options: Any) -> Any:
        if any(image is jobs[1].image for image in images):
            raise ValueError
        return encode(self, images, **options)

    monkeypatch.setattr(Segmenter, "encode_many", failing)
    state.worker._answer_all(jobs)
    monkeypatch.undo()
    with pytest.raises(RefusedError, match="unexpected ValueError"):
        jobs[1].future.result()
    for number in (0, 2):
        found = jobs[number].future.result().result
        np.testing.assert_array_equal(found.labels, library(pictures[number]).labels)


def test_large_images_that_wait_are_bounded_together(served: Served, pictures: list[bytes]) -> None:
    assert ask(served(image_bytes=1000), pictures[0]).status_code == 429


def test_a_model_that_cannot_be_loaded_is_told(pictures: list[bytes]) -> None:
    from feedseg.apps.service.app import Service, create_app

    with TestClient(create_app(Service(("/nowhere/at/all",)))) as client:
        while "being loaded" in client.get("/readyz").text:
            time.sleep(0.01)
        assert client.get("/readyz").status_code == 503
        assert ask(client, pictures[0]).status_code == 503


def test_a_defect_while_the_model_is_loaded_is_told_and_nobody_waits(
    pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from feedseg.apps.service.app import Service, create_app

    monkeypatch.setattr(Segmenter, "load", lambda *_, **__: 1 / 0)
    with TestClient(create_app(Service(("mini",)))) as client:
        while "being loaded" in client.get("/readyz").text:
            time.sleep(0.01)
        found = ask(client, pictures[0])
        assert (found.status_code, "ZeroDivisionError" in found.json()["error"]) == (503, True)


def test_figures_for_prometheus(served: Served, pictures: list[bytes]) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    client = served()
    assert [ask(client, pictures[0]).status_code, ask(client, b"x").status_code] == [200, 422]
    samples = [one for family in text_string_to_metric_families(client.get("/metrics").text) for one in family.samples]
    counted = {one.labels["status"]: one.value for one in samples if one.name == "feedseg_requests_total"}
    assert counted == {"200": 1, "422": 1}
    assert "process_resident_memory_bytes" in {one.name for one in samples}
    assert WORDS not in json.dumps([str(one) for one in samples])


def test_every_model_is_loaded_once_and_no_more_than_allowed() -> None:
    from feedseg.apps.service.pool import Pool

    forgotten: list[str] = []
    pool = Pool("cpu", 1, forgotten.append)
    first, other = pool.segmenter("mini", "clip"), pool.segmenter("mini", "proxyclip")
    assert first.model.tower is other.model.tower
    assert other.describe() == Segmenter.load("mini", device="cpu").describe()
    assert pool.segmenter("mini", "clip") is first
    assert (pool.loaded, forgotten) == (("mini",), [])
