"""Text embeddings: against transformers, batches, the cache on disk, banks."""

import pytest
import torch
from torch.nn.functional import normalize

import tiny_models
from feedseg import FeedsegError
from feedseg.vision.model import open_model
from feedseg.vision.text import clip as module
from feedseg.vision.text.cache import EmbeddingCache, EmbeddingMemory
from feedseg.vision.text.clip import ClipTextEncoder, load_tokenizer
from feedseg.weights.checkpoint import find_checkpoint

TEMPLATES = ("a photo of a {}.", "the good {}")


@pytest.fixture
def clip(tmp_path):
    reference = tiny_models.save_clip(tmp_path / "clip")
    model = open_model(tmp_path / "clip")
    assert isinstance(model.text, ClipTextEncoder)
    return reference, model.text


def expected_embedding(reference, folder, word):
    """The protocol's ensemble through transformers' own `get_text_features`, a prompt at a time."""
    prompts = []
    tokenizer = load_tokenizer(find_checkpoint(folder))
    for template in TEMPLATES:
        tokens = tokenizer([template.replace("{}", word)], return_tensors="pt")
        features = reference.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        features = features if isinstance(features, torch.Tensor) else features.pooler_output
        prompts.append(normalize(features[0], dim=-1))
    return normalize(torch.stack(prompts).mean(0), dim=-1)


def test_equals_transformers_whatever_the_batch_and_without_a_cache(clip, monkeypatch, tmp_path):
    reference, text = clip
    words = ["cat", "red sofa", "dog", "blue grass floor"]
    whole = text.embed(words, TEMPLATES)
    for word, embedding in zip(words, whole, strict=True):
        torch.testing.assert_close(
            embedding, expected_embedding(reference, tmp_path / "clip", word), atol=1e-5, rtol=1e-4
        )
    monkeypatch.setattr(module, "BATCH", 3)
    (tmp_path / "file").touch()
    monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path / "file/cannot/hold/folders"))
    torch.testing.assert_close(text.embed(words, TEMPLATES), whole, atol=1e-6, rtol=1e-5)


def test_no_byte_depends_on_the_words_that_are_embedded_beside(clip, monkeypatch, tmp_path):
    _, text = clip
    words = ["cat", "blue grass floor", "red sofa", "dog"]
    together, whole = [], text.encode
    monkeypatch.setattr(text, "encode", lambda prompts: together.append(prompts) or whole(prompts))
    found = []
    for number, order in enumerate((words, words[::-1], *([word] for word in words))):
        monkeypatch.setenv("FEEDSEG_CACHE", str(tmp_path / f"cache-{number}"))
        found += zip(order, text.embed(order, TEMPLATES), strict=True)
    assert all(torch.equal(embedding, dict(found)[word]) for word, embedding in found)
    assert {len(prompts) for prompts in together} == {len(TEMPLATES)}  # by its making, whatever this machine rounds


def test_the_default_is_the_protocols_eighty_templates(clip):
    _, text = clip
    prompts = []
    text.encode = lambda batch: prompts.extend(batch) or torch.ones(len(batch), 4)
    text.embed(["cat"], None)
    assert len(prompts) == 80
    assert prompts[0] == "a bad photo of a cat."
    assert "itap of my cat." in prompts


def test_a_word_is_computed_once_and_then_read_from_disk(clip):
    _, text = clip
    first = text.embed(["cat", "dog", "cat"], TEMPLATES)
    torch.testing.assert_close(first[0], first[2])
    asked = []
    encode = text.encode
    text.encode = lambda prompts: asked.extend(prompts) or encode(prompts)
    assert torch.equal(text.embed(["dog", "cat"], TEMPLATES), first[[1, 0]])
    assert asked == []
    text.embed(["dog", "rug"], TEMPLATES)
    assert asked == ["a photo of a rug.", "the good rug"]
    text.embed(["dog"], TEMPLATES[:1])
    assert asked[2:] == ["a photo of a dog."]


def test_the_cache_keeps_models_types_and_templates_apart():
    folders = {
        EmbeddingCache(revision, templates, dtype).folder
        for revision in ("a", "sha256:b")
        for templates in (TEMPLATES, TEMPLATES[:1])
        for dtype in ("float32", "float16")
    }
    assert len(folders) == 8


def test_a_damaged_cache_is_computed_again(clip):
    _, text = clip
    expected = text.embed(["cat"], TEMPLATES)
    cache = EmbeddingCache(text.revision, TEMPLATES, "float32")
    assert cache.folder is not None
    (file,) = cache.folder.iterdir()
    file.write_bytes(file.read_bytes()[:20])
    assert torch.equal(text.embed(["cat"], TEMPLATES), expected)
    assert cache.load("cat") is not None
    # another word's file under this word's name
    other = cache.path("dog")
    assert other is not None
    other.write_bytes(file.read_bytes())
    assert cache.load("dog") is None


def test_progress_counts_the_words_that_are_computed(clip):
    _, text = clip
    seen = []
    text.embed(["cat", "dog", "rug"], TEMPLATES, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    text.embed(["cat"], TEMPLATES, lambda done, total: seen.append((done, total)))
    assert len(seen) == 4


def test_a_prompt_that_is_too_long_is_refused(clip):
    _, text = clip
    with pytest.raises(FeedsegError, match="24 tokens"):
        text.embed(["cat " * 40], TEMPLATES)


def test_a_bank_knows_its_words_and_names_the_nearest(tmp_path):
    tiny_models.save_aligned(tmp_path, words=("sofa", "table", "aeroplane"))
    bank = open_model(tmp_path).text
    embedded = bank.embed(["table", "sofa"], None)
    torch.testing.assert_close(embedded.norm(dim=-1), torch.ones(2))
    with pytest.raises(FeedsegError, match=r"knows 3 words, and not 'airplane' \(the nearest: aeroplane\)$"):
        bank.embed(["airplane"], None)
    with pytest.raises(FeedsegError, match="templates cannot be chosen"):
        bank.embed(["sofa"], TEMPLATES)


def test_a_bank_takes_words_as_people_write_them(tmp_path):
    tiny_models.save_aligned(tmp_path, words=("Sofa", "café table", "aeroplane", "wall"))
    bank = open_model(tmp_path).text
    plain = bank.embed(["Sofa", "café table", "aeroplane"], None)
    assert torch.equal(bank.embed(["sofa", "cafe\u0301  TABLE", "AEROPLANE"], None), plain)
    assert bank.substitutes(["sofa", "AEROPLANE", "cafe\u0301 table"]) == []  # the same words, so nothing is said
    assert torch.equal(bank.embed(["sofas", "cafe tables", "aeroplanes"], None), plain)
    assert [str(one) for one in bank.substitutes(["sofas", "Cafe table"])] == [
        "no 'sofas'; 'Sofa' was taken for it",
        "no 'Cafe table'; 'café table' was taken for it",
    ]
    assert bank.recognised(["walls", "sky"]) == {"walls": "wall"}
    assert bank.known_words == ("Sofa", "café table", "aeroplane", "wall")


def test_all_words_that_a_bank_lacks_are_told_at_once(tmp_path):
    tiny_models.save_aligned(tmp_path, words=("sofa", "table", "aeroplane", "car"))
    bank = open_model(tmp_path).text
    with pytest.raises(FeedsegError) as caught:
        bank.embed(["sofa", "airplane", "couch", "Automobile", "qqqq"], None)
    text = str(caught.value)
    assert "'airplane' (the nearest: aeroplane" in text
    assert "'couch' (the nearest: sofa" in text  # by meaning: nothing is spelled like it
    assert "'Automobile' (the nearest: car" in text
    assert text.endswith("'qqqq'")
    with pytest.raises(FeedsegError, match=r"'word7', and 2992 more$|, and 2992 more$") as caught:
        bank.embed([f"word{number}" for number in range(3000)], None)
    assert len(str(caught.value)) < 800
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_whole_words_takes_them_in_the_other_number(clip):
    _, text = clip
    assert not text.takes_any_word
    assert torch.equal(text.embed(["Cats", "red  SOFAS"], TEMPLATES), text.embed(["cat", "red sofa"], TEMPLATES))
    assert [str(one) for one in text.substitutes(["CAT", "red sofas"])] == [
        "no 'red sofas'; 'red sofa' was taken for it"
    ]
    with pytest.raises(FeedsegError, match=r"not 'giraffe'.*, 'red giraffe'"):
        text.embed(["cat", "giraffe", "red giraffe"], TEMPLATES)


def test_the_memory_of_vocabularies_is_bounded_and_gives_what_belongs_to_the_key():
    memory = EmbeddingMemory()
    made = []

    def make(number):
        made.append(number)
        return torch.full((1,), float(number))

    for number in (*range(30), 29, 28, 0):
        assert memory.get(number, lambda number=number: make(number)).item() == number
    assert made == [*range(30), 0]
