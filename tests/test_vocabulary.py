"""The words, their one text format, and every way to get it wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedseg import FeedsegError, Vocabulary
from feedseg.vision.text.templates import default_templates

anything: Any = Vocabulary  # for what a type checker would not let through
NAMES = st.text(st.characters(categories=("L", "N"), include_characters="-_'"), min_size=1, max_size=12).filter(
    lambda name: name.casefold() != "background"
)
WORDS = st.lists(NAMES, min_size=2, max_size=12, unique_by=str.casefold)


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
    vocabulary = Vocabulary(["cat", "sofa"], threshold=0.4)
    assert vocabulary.names == ("background", "cat", "sofa")
    assert vocabulary.query_to_class == (1, 2)


def test_one_line_is_the_text_format_with_commas_for_line_ends():
    line = Vocabulary.parse_line("cat; kitten, sofa ,rug", background="wall, floor; sky", threshold=0.2)
    text = Vocabulary.parse("background: wall; floor; sky\nthreshold: 0.2\ncat; kitten\nsofa\n\n# no class\nrug\n")
    assert line == text
    assert line.classes == (("cat", "kitten"), ("sofa",), ("rug",))


@given(WORDS, st.data())
def test_what_is_written_is_read_again(words, data):
    cut = data.draw(st.integers(0, len(words) - 2))
    background, rest = words[:cut], words[cut:]
    size = data.draw(st.integers(1, max(1, len(rest) // 2)))
    classes = [rest[start : start + size] for start in range(0, len(rest), size)]
    if len(classes) == 1 and not background:
        return
    templates = data.draw(
        st.none()
        | st.lists(
            st.text(max_size=9).filter(str.isprintable).map(lambda text: text.replace("{}", "") + "{}"),
            min_size=1,
            max_size=3,
        )
    )
    threshold = data.draw(st.sampled_from([0.0, 0.1, 1 / 3]))
    vocabulary = Vocabulary(classes, background, threshold, templates)
    assert Vocabulary.parse(vocabulary.format()) == vocabulary


def test_files_are_read_and_written(tmp_path):
    vocabulary = Vocabulary(["Käse", "cat; kitten"], background=["wall"], threshold=0.25)
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
        (lambda: Vocabulary(["cat", "Cat"]), "'Cat' stands in 'cat' and in 'Cat'"),
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
        (lambda: Vocabulary.parse_line("cat;, dog"), "empty name beside ';'"),
        (lambda: Vocabulary.parse_line("cat\ndog"), "use a file"),
        (lambda: Vocabulary.parse_line("cat; dog"), "separate classes by commas"),
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
