import json

from seqlab.decoding.tagging import FORMATS, Spelled, Tagged, Way, arrow, spans_in

WORDS, TAGS = ["Tom", "Ray", "<ran>"], ["B-p", "I-p", "O"]
ONE = Tagged("Tom Ray <ran>", WORDS, TAGS, spans_in(WORDS, TAGS, True))
FULL = ONE._replace(
    offsets=[(0, 3), (4, 7), (8, 13)],
    probabilities=[0.5, 0.25, 1.0],
    paths=[Way(TAGS, 0.5), Way(["O", "O", "O"], 0.25)],
)
PLAIN = Tagged("a cat", ["a", "cat"], ["DET", "NOUN"], [])


def test_inline() -> None:
    assert [*FORMATS["inline"]([ONE, PLAIN])] == ["Tom_B-p Ray_I-p <ran>_O", "a_DET cat_NOUN"]
    assert str(FULL) == "0.5000\tTom_B-p Ray_I-p <ran>_O\n0.2500\tTom_O Ray_O <ran>_O"


def test_columns_with_a_blank_line_between_sentences() -> None:
    assert [*FORMATS["conll"]([PLAIN, PLAIN])] == ["a\tDET", "cat\tNOUN", "", "a\tDET", "cat\tNOUN"]
    assert next(FORMATS["conll"]([FULL])) == "Tom\t0\t3\tB-p\tO\t0.5000"


def test_a_page_with_spans_or_tags_on_colours() -> None:
    page = "\n".join(FORMATS["html"]([ONE, PLAIN]))
    assert ">Tom Ray<sub>p</sub></mark> &lt;ran&gt;</p>" in page
    assert ">a<sub>DET</sub></mark>" in page
    assert page.count("hsl(0,") == 1, "each kind has a colour of its own"


def test_an_object_a_line() -> None:
    plain, full = (json.loads(line) for line in FORMATS["json"]([PLAIN, FULL]))
    assert plain == {"text": "a cat", "words": ["a", "cat"], "tags": ["DET", "NOUN"], "spans": [], "parts": 1}
    assert full["paths"][1] == {"tags": ["O", "O", "O"], "probability": 0.25}
    assert full["spans"] == [{"kind": "p", "start": 0, "end": 2, "text": "Tom Ray"}]


def test_tags_that_mark_nothing_have_no_spans() -> None:
    assert spans_in(WORDS, TAGS, False) == []


def test_characters_and_their_tags() -> None:
    assert arrow("hello", [*"ohlol"]) == "hello -> ohlol"
    assert arrow("ab", ["X", "YZ"]) == "ab -> X YZ"
    assert str(Spelled("ab", ["a", "b"], ["X", "Y"], [])) == "ab -> XY"
