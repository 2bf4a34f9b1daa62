"""The words, their one text format, and every way to get it wrong."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg import FeedsegError, Vocabulary
from feedseg.vision.text.templates import default_templates
from feedseg.vocabulary.background import STOCK
from feedseg.vocabulary.separators import numbers_before
from feedseg.vocabulary.words import normal_form

anything: Any = Vocabulary  # for what a type checker would not let through
NAMES = st.text(st.characters(categories=("L", "N", "S"), include_characters="-_'. "), min_size=1, max_size=12).filter(
    lambda name: normal_form(name) not in ("", "background") and name[0] != "#" and "|" not in name and name[-1] != "."
)
WORDS = st.lists(NAMES, min_size=2, max_size=12, unique_by=normal_form)


def test_classes_synonyms_and_background_become_labels():
    vocabulary = Vocabulary(["cat", "sofa; couch", ["rug", "carpet"]], background=["wall", "floor"])
    assert vocabulary.names == ("background", "cat", "sofa", "rug")
    assert vocabulary.queries == ("wall", "floor", "cat", "sofa", "couch", "rug", "carpet")
    assert vocabulary.query_to_class == (0, 0, 1, 2, 2, 3, 3)


def test_without_background_labels_start_with_the_first_class():
    vocabulary = Vocabulary(["cat", "sofa"])
    assert vocabulary.names == ("cat", "sofa")
    assert not vocabulary.has_background


def test_a_threshold_alone_makes_a_background_without_words():
    vocabulary = Vocabulary(["cat", "sofa"], threshold=0.6)
    assert vocabulary.names == ("background", "cat", "sofa")
    assert vocabulary.query_to_class == (1, 2)


def test_one_line_is_the_text_format_with_commas_for_line_ends():
    line = Vocabulary.parse_line("cat; kitten, sofa ,rug", background="wall, floor; sky", threshold=0.4)
    text = Vocabulary.parse("background: wall; floor; sky\nthreshold: 0.4\ncat; kitten\nsofa\n\n# no class\nrug\n")
    assert line == text
    assert line.classes == (("cat", "kitten"), ("sofa",), ("rug",))


@given(WORDS, st.data())
def test_what_is_written_is_read_again(words, data):
    cut = data.draw(st.integers(0, len(words) - 2))
    background, rest = words[:cut], words[cut:]
    size = data.draw(st.integers(1, max(1, len(rest) // 2)))
    classes = [rest[start : start + size] for start in range(0, len(rest), size)]
    if (len(classes) == 1 and not background) or numbers_before([words[0] for words in classes]):
        return
    chosen = data.draw(st.sampled_from([background, background, "auto"]))
    templates = data.draw(
        st.none()
        | st.lists(
            st.text(max_size=9).filter(str.isprintable).map(lambda text: text.replace("{}", "") + "{}"),
            min_size=1,
            max_size=3,
        )
    )
    threshold = data.draw(st.sampled_from([0.0, 0.99]))
    vocabulary = Vocabulary(classes, chosen, threshold, templates)
    assert Vocabulary.parse(vocabulary.format()) == vocabulary


def test_files_are_read_and_written(tmp_path):
    vocabulary = Vocabulary(["Käse", "cat; kitten"], background=["wall"], threshold=0.5)
    vocabulary.write(tmp_path / "words.txt")
    assert Vocabulary.read(tmp_path / "words.txt") == vocabulary
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\n")
    assert Vocabulary.read(tmp_path / "bom.txt").names == ("cat", "dog")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary([]), "at least one class"),
        (lambda: Vocabulary(["cat"]), "'cat' as the only word"),
        (lambda: Vocabulary(["cat"], threshold=0.5), "'cat' as the only word"),
        (lambda: Vocabulary(["cat; dog; sofa"]), "one class with synonyms"),
        (lambda: Vocabulary(["cat, dog", "sofa"]), "'cat, dog' contains ','"),
        (lambda: Vocabulary([["cat; dog"], "sofa"]), "'cat; dog' contains ';'"),
        (lambda: Vocabulary(["cat", ""]), "empty name"),
        (lambda: Vocabulary(["cat", []]), "class without words"),
        (lambda: Vocabulary(["cat", "dog; Cat"]), "'cat' stands in 'cat' and in 'dog'"),
        (lambda: Vocabulary(["cat; pet", "dog; pet"]), "'pet' stands in 'cat' and in 'dog'"),
        (lambda: Vocabulary(["background", "cat"], background=["wall"]), "beside the background"),
        (lambda: Vocabulary(["cat", "dog"], threshold=1.0), "threshold is a probability"),
        (lambda: Vocabulary(["cat", "dog"], threshold=-0.1), "threshold is a probability"),
        (lambda: Vocabulary(["cat", "dog"], templates=["a photo"]), "exactly one {}"),
        (lambda: Vocabulary(["cat", "dog"], templates=[]), "empty list of templates"),
        (lambda: Vocabulary(["cat", "d\x07og"]), "unprintable"),
        (lambda: Vocabulary(["cat，dog", "sofa"]), "contains '，'"),
        (lambda: Vocabulary({"cat": ["kitten"], "dog": []}), "list of names"),
        (lambda: anything([1, "dog"]), "a name or a list of words, not 1"),
        (lambda: anything([["cat", 2], "dog"]), "are text"),
        (lambda: anything([b"cat", "dog"]), "a name or a list of words"),
        (lambda: anything(["cat", "dog"], threshold="high"), "threshold is a number"),
        (lambda: Vocabulary(["Background", "cat"], background=["wall"]), "beside the background"),
        (lambda: Vocabulary(["cat", "dog"], templates=["a {}\u2028b"]), "exactly one {}"),
        (lambda: Vocabulary("cat, dog"), "parse_line"),
        (lambda: Vocabulary.parse_line(" "), "there are no labels"),
        (lambda: Vocabulary.parse_line("cat,,dog"), "empty name beside ','"),
        (lambda: Vocabulary.parse_line("cat;;kitten, dog"), "empty name beside ';'"),
        (lambda: Vocabulary.parse_line(", cat, dog"), 'did you mean "cat, dog"?'),
        (lambda: Vocabulary.parse_line("cat\ndog"), 'did you mean "cat, dog"?'),
        (lambda: Vocabulary.parse_line("cat, dog\nsofa"), "all classes on one line"),
        (lambda: Vocabulary.parse_line("cat; dog"), "separated by commas"),
        (lambda: Vocabulary.parse_line("dog"), 'Vocabulary(…, background="auto") takes a stock list'),
        (lambda: Vocabulary(["cat; kitten"], threshold=0.5), "one class with synonyms"),
        (lambda: Vocabulary(["background; wall", "cat"], background="auto"), "beside the background: leave it out"),
        (lambda: Vocabulary(["; ".join(STOCK)], background="auto"), "nothing is left of the stock list"),
        (lambda: Vocabulary({"cat", "dog"}), "not set, which has no order"),
        (lambda: Vocabulary(["cat", {"dog", "puppy"}]), "a name or a list of words"),
        (lambda: Vocabulary(["dog"], background={"wall", "sky"}), "a name or a list of words"),
        (lambda: Vocabulary(["cat\u202egod", "dog"]), "U+202E, which turns the direction"),
        (lambda: Vocabulary(["cat | dog", "sofa"]), "bars do not separate classes"),
        (lambda: Vocabulary.parse("cat | dog\nsofa"), 'a line of its own, or write "cat, dog"'),
        (lambda: Vocabulary(["0 plain", "1 striped"]), "the classes are numbered ('0 plain' and '1 striped')"),
        (lambda: Vocabulary.parse("1: plain\n2: striped"), "the vocabulary: the classes are numbered"),
        (lambda: Vocabulary(["x" * 1_000_000, "dog"]), "1000000 characters, and a word has at most 200"),
        (lambda: Vocabulary.parse_line(f"{'cat,' * 1000},dog"), "an empty name"),
        (lambda: Vocabulary.parse("cat\ndog, sofa"), "line 2: a comma"),
        (lambda: Vocabulary.parse("background: wall, floor\ncat"), "line 1: a comma"),
        (lambda: Vocabulary.parse("cat\nthreshold: high"), "line 2: the threshold is a number"),
        (lambda: Vocabulary.parse("backgroud: wall\ncat\ndog"), "'backgroud' is none of background, threshold"),
        (lambda: Vocabulary.parse("background: a\nbackground: b\ncat"), "line 2: a second background"),
        (lambda: Vocabulary.parse(""), "at least one class"),
        (lambda: Vocabulary.read("/nowhere/words.txt"), "/nowhere/words.txt cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_line(make, message):
    with pytest.raises(FeedsegError) as caught:
        make()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_word_of_a_class_in_the_background_is_a_warning_and_background_wins():
    with pytest.warns(UserWarning, match="'bed' is in the background and in class 'bed'; background wins"):
        vocabulary = Vocabulary(["bed", "cat"], background=["sky", "bed"])
    assert vocabulary.query_to_class == (0, 0, 1, 2)


def test_vocabularies_compare_by_their_content():
    assert Vocabulary(["cat", "dog"]) == Vocabulary((("cat",), ("dog",)))
    assert len({Vocabulary(["cat", "dog"]), Vocabulary(["cat", "dog"]), Vocabulary(["dog", "cat"])}) == 2


def test_there_are_eighty_templates_each_with_one_place():
    assert len(set(default_templates())) == 80
    assert all(template.count("{}") == 1 for template in default_templates())


def test_words_come_as_a_vocabulary_a_list_or_a_line():
    expected = Vocabulary(["cat; kitten", "sofa"])
    for words in (expected, ["cat; kitten", "sofa"], [["cat", "kitten"], "sofa"], "cat; kitten, sofa"):
        assert Vocabulary.of(words) == expected


@pytest.mark.parametrize("words", [{"cat", "sofa"}, {"cat": 1}, 5, None])
def test_words_without_an_order_are_refused(words):
    with pytest.raises(FeedsegError, match="words are a Vocabulary, a list of classes or a line of text"):
        Vocabulary.of(words)


def test_the_automatic_background_is_the_stock_list_less_what_is_asked_for():
    vocabulary = Vocabulary(["dog", "Trees; woods", "WALL"], background="auto")
    assert vocabulary.automatic
    assert set(STOCK) - set(vocabulary.background) == {"tree", "wood", "wall"}
    assert vocabulary.names == ("background", "dog", "Trees", "WALL")
    assert (
        Vocabulary.parse_line("dog", " Auto ")
        == Vocabulary(["dog"], "auto")
        == Vocabulary.parse("background: auto\ndog")
    )
    assert Vocabulary(["dog"], ["auto"]).background == ("auto",)  # a word of one's own
    assert Vocabulary.parse(Vocabulary(["dog"], ["auto"]).format()) == Vocabulary(["dog"], ["auto"])


def test_a_class_called_background_is_the_automatic_background():
    with pytest.warns(UserWarning, match="'background' is left out"):
        assert Vocabulary(["Background", "dog"], "auto") == Vocabulary(["dog"], "auto")


def test_a_model_leaves_out_what_it_does_not_know():
    vocabulary = Vocabulary(["dog", "wall"], background="auto")
    resolved = vocabulary.resolved(
        lambda words: {word: f"{word}s" for word in words if word in ("sky", "wall", "hill")}
    )
    assert resolved.background == ("skys", "hills")
    assert resolved == Vocabulary(["dog", "wall"], background=["skys", "hills"])
    assert resolved.resolved(lambda words: {}) is resolved
    with pytest.warns(UserWarning, match=r"no background word is left.*every pixel gets one of the words"):
        assert vocabulary.resolved(lambda words: {}) == Vocabulary(["dog", "wall"])
    with pytest.raises(FeedsegError, match=r"no background word is left.*every pixel would get 'dog'"):
        Vocabulary(["dog"], background="auto").resolved(lambda words: {})


def test_the_same_word_written_otherwise_is_one_class_with_a_note():
    pairs = [("Dog", "dog"), ("caf\u00e9", "cafe\u0301"), ("\uff53triped", "striped"), ("hot dog", "hot  dog")]
    for first, second in pairs:
        with pytest.warns(UserWarning, match="counted once"):
            vocabulary = Vocabulary([first, "sofa", f"{second}; extra"])
        assert vocabulary.classes == ((first, "extra"), ("sofa",))
    with pytest.warns(UserWarning, match="'wall' and 'Wall': written more than once"):
        assert Vocabulary(["dog"], background="wall; Wall").background == ("wall",)


def test_the_note_points_to_the_line_that_wrote_it():
    with pytest.warns(UserWarning, match="counted once") as caught:
        Vocabulary.parse_line("Dog, dog, cat")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("classes", "background", "threshold", "idle"),
    [
        (["cat", "dog"], None, 0.5, True),
        (["cat", "dog"], None, 0.51, False),
        (["cat"], "wall; floor", 0.5, True),  # two classes: the background's words are one
        (["cat", "dog"], "wall", 1 / 3, True),
        (["cat", "dog"], "wall", 0.34, False),
        (["cat"], "auto", 0.5, True),
        (["cat", "dog"], None, 0.0, False),
    ],
)
def test_a_threshold_that_cannot_do_anything_is_said(classes, background, threshold, idle, recwarn):
    Vocabulary(classes, background, threshold)
    said = [str(warning.message) for warning in recwarn]
    assert bool(said) == idle
    assert all("cannot do anything" in text for text in said)


def test_separators_left_over_at_the_end_do_no_harm():
    expected = Vocabulary(["cat; kitten", "dog"], background=["wall"])
    assert Vocabulary.parse_line("cat; kitten; , dog,, ", "wall, ") == expected
    assert Vocabulary.parse("background: wall;\ncat; kitten;\ndog,\n") == expected


@pytest.mark.parametrize("name", ["duplicates", "numbered"])
def test_class_lists_that_went_wrong_are_refused(name: str, shared: Path):
    with pytest.raises(FeedsegError, match=r"stands in 'screen' and in 'screen door'|are numbered"):
        Vocabulary.read(shared / f"cases/words/{name}.txt")


def test_class_lists_that_went_wrong_are_read(shared: Path):
    with pytest.warns(UserWarning, match="written more than once"):
        assert len(Vocabulary.read(shared / "cases/words/unicode.txt").names) == 3
    assert len(Vocabulary.read(shared / "cases/words/joiners.txt").names) == 2
