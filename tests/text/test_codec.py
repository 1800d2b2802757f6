import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from seqlab.errors import UserError
from seqlab.text import codec as codec_module
from seqlab.text.clean import CLEANERS
from seqlab.text.codec import Codec
from seqlab.text.tokenize import TOKENIZERS

DATA = Path(os.environ.get("SEQLAB_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
STORY = [
    "The lamp, it's said, was lit.\n",
    "\n",
    "“Who lit it?” she said -- and the lamp\n",
    "said: the lamp.  Café 😀\n",
    "Then the lamp was out",
]


def story() -> Iterator[str]:
    return iter(STORY)


def build(cleaning: str, tokens: str) -> Codec:
    return Codec.build(story, cleaning, tokens, vocab_size=60)


@pytest.fixture
def time_machine() -> list[str]:
    path = DATA / "timemachine.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def chained(codec: Codec, lines: list[str]) -> np.ndarray:
    return np.concatenate([np.empty(0, codec.dtype), *codec.encode_lines(iter(lines))])


def test_literal_ids() -> None:
    codec = Codec.build(lambda: iter(["Ab b\n", "b.\n"]))
    assert codec.vocab.tokens(range(4)) == ["<unk>", "b", " ", "a"]
    assert codec.encode("ab cb") == [3, 1, 2, 0, 1]
    assert chained(codec, ["Ab b\n", "b.\n"]).tolist() == [3, 1, 2, 1, 1]
    assert codec.decode([3, 1, 2, 1, 0]) == "ab b<unk>"
    assert codec.decode(np.array([3, 2], dtype=np.uint8)) == "a "


@pytest.mark.parametrize("cleaning", CLEANERS)
@pytest.mark.parametrize("tokens", TOKENIZERS)
def test_streaming_equals_the_whole_text(cleaning: str, tokens: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = build(cleaning, tokens)
    whole = codec.encode("".join(STORY))
    at_once = chained(codec, STORY)
    monkeypatch.setattr(codec_module, "PIECE", 20)
    pieces = list(codec.encode_lines(iter(STORY)))
    assert len(pieces) > 2
    assert whole == at_once.tolist() == np.concatenate(pieces).tolist()
    assert {piece.dtype for piece in pieces} == {codec.dtype}
    assert len(whole) > 15
    assert max(whole) < codec.vocab_size


@pytest.mark.parametrize("tokens", ["char", "bpe", "unigram"])
def test_raw_text_comes_back(tokens: str) -> None:
    codec = build("raw", tokens)
    assert codec.decode(chained(codec, STORY)) == "".join(STORY)


@pytest.mark.parametrize("tokens", [tokens for tokens in TOKENIZERS if tokens != "char"])
def test_words_of_classic_text_stay_apart(tokens: str) -> None:
    assert "lit who lit it she said and the lamp said the" in build("classic", tokens).decode(
        chained(build("classic", tokens), STORY)
    )


def test_characters_of_classic_text_run_together() -> None:
    codec = build("classic", "char")
    assert codec.decode(chained(codec, STORY)).startswith("the lamp it s said was litwho lit it")


@pytest.mark.parametrize(
    ("prompt", "cleaned"),
    [
        ("the lamp", "the lamp"),
        ("The  Lamp!", "the lamp"),
        ("the lamp ", "the lamp "),
        (" lamp", " lamp"),
        (" ", " "),
        ("", ""),
        ("!", ""),
    ],
)
def test_spaces_at_the_ends_of_a_classic_prompt_are_kept(prompt: str, cleaned: str) -> None:
    codec = build("classic", "char")
    assert codec.decode(codec.encode(prompt)) == cleaned
    assert len(codec.encode(prompt)) == len(cleaned)


WRITTEN = [
    "it costs 7,20 euros at 10:30, not 1.234.567,89 $!",
    "See https://example.org/a_b?c=d&e=1#f or me@mail.org... O.K.?",
    "“Don't,” he said; ‘rock 'n' roll’ -- it's \"late\" (very).",
    "« Bonjour », dit-il : l'été d'aujourd'hui.",
    "हिन्दी भाषा, 他们在 iPhone手机上。 👩‍🚀👍🏽 a <unk> ▁ ##b 50 %",
]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("cleaning", ["raw", "spaced"])
@pytest.mark.parametrize("tokens", TOKENIZERS)
def test_a_text_comes_back_and_goes_the_way_of_its_reference(tokens: str, cleaning: str, text: str) -> None:
    codec = Codec.build(lambda: iter(WRITTEN), cleaning, tokens, vocab_size=600)
    assert codec.decode(codec.encode(text)) == codec.clean(text)
    assert codec.written(codec.encode(text)) == codec.reference(text)
    if cleaning == "spaced":
        assert codec.written(codec.encode("it costs 7,20 euros!")) == "it costs 7,20 euros!"


@pytest.mark.parametrize("tokens", ["bpe", "wordpiece", "unigram"])
def test_what_is_written_like_a_reserved_token_is_text_to_subwords(tokens: str) -> None:
    lines = ["a <unk> is <pad> <eos> ▁ here\n"] * 50
    codec = Codec.build(lambda: iter(lines), "raw", tokens, vocab_size=400, reserved=("<unk>", "<pad>", "<eos>"))
    ids = codec.encode("a <unk> is <pad> <eos> ▁ here")
    assert min(ids) > 2
    assert codec.decode(ids) == "a <unk> is <pad> <eos> ▁ here"


def test_a_long_word_is_no_unknown_to_wordpiece() -> None:
    codec = Codec.build(lambda: iter(["abcdefgh " * 20]), "raw", "wordpiece", vocab_size=60)
    assert 0 not in codec.encode("abcdefgh" * 100)
    assert codec.encode("abcx").count(0) == 1


def test_space_takes_a_literal_unk_for_the_first_id() -> None:
    codec = Codec.build(lambda: iter([" the <unk> @-@ U.S. \n"]), "raw", "space")
    assert codec.encode("the <unk> @-@ nine") == [*codec.vocab.ids(["the"]), 0, *codec.vocab.ids(["@-@"]), 0]
    assert codec.vocab_size == 5


@pytest.mark.parametrize("tokens", TOKENIZERS)
@pytest.mark.parametrize("cleaning", CLEANERS)
def test_line_ends_are_tokens(tokens: str, cleaning: str) -> None:
    codec = Codec.build(story, cleaning, tokens, vocab_size=60, line_ends=True)
    ids = chained(codec, STORY)
    assert (ids == codec.vocab.id_of("<eos>")).sum() == len(STORY)
    assert ids[-1] == codec.vocab.id_of("<eos>")
    assert codec.decode(ids).count("\n") == len(STORY)
    assert codec.encode("the lamp\nwas") == [
        *codec.encode("the lamp"),
        codec.vocab.id_of("<eos>"),
        *codec.encode("was"),
    ]
    assert Codec.from_state(codec.state()).encode("the\n") == codec.encode("the\n")


def test_lines_begin_and_end() -> None:
    codec = Codec.build(lambda: iter(["ab\n", "b\n"]), "raw", line_ends=True, line_begins=True)
    bos, eos, b, a = 1, 2, 3, 4
    assert codec.vocab.tokens(range(5)) == ["<unk>", "<bos>", "<eos>", "b", "a"]
    assert chained(codec, ["ab\n", "b"]).tolist() == [bos, a, b, eos, bos, b, eos]
    assert codec.encode("a") == [bos, a]
    assert codec.decode([bos, a, b, eos, bos, b]) == "ab\nb"


def test_unknown_tokens_are_listed_once() -> None:
    assert build("classic", "char").unknown("the zz qz lamp") == ["z", "q"]
    assert build("classic", "word").unknown("the genie saw the genie") == ["genie", "saw"]
    assert build("raw", "char").unknown("the lamp") == []
    assert build("raw", "bpe").unknown("génie 🧞") == []
    assert build("raw", "wordpiece").unknown("the 🧞 lamp") == ["🧞"]
    assert build("raw", "unigram").unknown("the lamp🧞") == ["🧞"]


def test_characters_outside_the_vocabulary_stream_as_unknown() -> None:
    codec = Codec.build(lambda: iter(["ab"]), "raw")
    assert chained(codec, ["a\U0010ffff\x00b😀c"]).tolist() == [1, 0, 0, 2, 0, 0]


def test_options_change_the_vocabulary() -> None:
    assert build("classic", "word").vocab_size > Codec.build(story, tokens="word", min_freq=2).vocab_size
    assert Codec.build(story, tokens="bpe", vocab_size=258).vocab_size == 258
    reserved = Codec.build(story, tokens="bpe", vocab_size=258, reserved=("<unk>", "<pad>", "<eos>"))
    assert reserved.vocab_size == 260
    assert reserved.vocab.id_of("<eos>") == 2
    assert reserved.decode(reserved.encode("the lamp")) == "the lamp"


@pytest.mark.parametrize(("distinct", "dtype"), [(255, "uint8"), (256, "uint16"), (65535, "uint16"), (65536, "uint32")])
def test_smallest_dtype(distinct: int, dtype: str) -> None:
    text = "".join(chr(0x10000 + index) for index in range(distinct))
    codec = Codec.build(lambda: iter([text]), "raw")
    assert codec.dtype == np.dtype(dtype)
    assert sorted(chained(codec, [text]).tolist()) == list(range(1, distinct + 1))


@pytest.mark.parametrize("cleaning", CLEANERS)
@pytest.mark.parametrize("tokens", TOKENIZERS)
def test_state_is_json_and_rebuilds(cleaning: str, tokens: str) -> None:
    codec = build(cleaning, tokens)
    again = Codec.from_state(json.loads(json.dumps(codec.state())))
    assert again.state() == codec.state()
    assert again.encode("The lamp; Ω") == codec.encode("The lamp; Ω")
    assert again.decode(codec.encode("The lamp")) == codec.decode(codec.encode("The lamp"))


@pytest.mark.parametrize("tokens", TOKENIZERS)
def test_an_empty_text_has_only_unk(tokens: str) -> None:
    codec = Codec.build(lambda: iter([]), tokens=tokens, vocab_size=10)
    assert codec.vocab.tokens(0) == "<unk>"
    assert list(codec.encode_lines([])) == []
    assert codec.encode("") == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cleaning": "rawr"}, "unknown cleaning 'rawr'; did you mean 'raw'?"),
        ({"tokens": "x"}, "unknown tokens 'x'; choose one of bpe, char, space, unigram, word, wordpiece"),
        ({"min_freq": -1}, "min_freq -1 must be a whole number of at least 0"),
        ({"vocab_size": 0}, "vocab_size 0 must be a whole number of at least 1"),
    ],
)
def test_errors(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError) as error:
        Codec.build(story, **options)
    assert str(error.value) == words


def test_time_machine_characters(time_machine: list[str]) -> None:
    codec = Codec.build(lambda: iter(time_machine))
    ids = chained(codec, time_machine)
    assert (codec.vocab_size, len(ids), ids.dtype) == (28, 170_580, np.uint8)
    assert codec.decode(codec.encode("time traveller")) == "time traveller"
    assert len(chained(Codec.build(lambda: iter(time_machine), "letters"), time_machine)) == 173_428


def test_time_machine_words(time_machine: list[str]) -> None:
    codec = Codec.build(lambda: iter(time_machine), tokens="word")
    assert len(chained(codec, time_machine)) == 32_775
    assert codec.vocab_size == 4580  # 4,579 distinct words and <unk>
    assert codec.vocab.frequencies[:4] == [("the", 2261), ("i", 1267), ("and", 1245), ("of", 1155)]


@pytest.mark.parametrize("tokens", ["bpe", "unigram", "wordpiece"])
def test_time_machine_subwords(tokens: str, time_machine: list[str]) -> None:
    codec = Codec.build(lambda: iter(time_machine), "letters", tokens, vocab_size=2000)
    ids = chained(codec, time_machine)
    assert 1990 <= codec.vocab_size <= 2000
    assert 38_000 < len(ids) < 45_000
    assert codec.decode(ids).split() == codec.clean("".join(time_machine)).split()


@pytest.mark.parametrize("tokens", ["bpe", "wordpiece", "unigram"])
def test_subwords_are_numbered_by_frequency(tokens: str) -> None:
    lines = ["the cat and the dog and the bird\n"] * 20 + ["zebra\n"]
    codec = Codec.build(lambda: iter(lines), "raw", tokens, vocab_size=60)
    counts = [count for _, count in codec.vocab.frequencies]
    assert counts == sorted(counts, reverse=True)
    ids = codec.encode("".join(lines))
    assert [ids.count(row) for row in range(1, len(codec.vocab))] == counts
