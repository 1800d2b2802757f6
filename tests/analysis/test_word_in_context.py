from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqlab.analysis.context_measures import cosines, mean_cosine, measure, random_places, sentence_cosine
from seqlab.analysis.context_pictures import draw_cosines
from seqlab.analysis.word_in_context import WordInContext, inspect_word
from seqlab.errors import UserError
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.text.codec import Codec

MONEY = ["clerk", "loan", "cash", "money", "coin", "teller", "debt"], ["paid", "lent", "counted", "saved"]
RIVER = ["river", "water", "boat", "fish", "mud", "reed", "stream"], ["swam", "floated", "flowed", "sank"]


def sentences(many: int, seed: int) -> list[str]:
    """As many of banks with money as of banks of rivers, which differ in all but the words around *bank*."""
    rng, found = np.random.default_rng(seed), []
    for kind in rng.permutation(many) % 2:
        nouns, verbs = (MONEY, RIVER)[kind]
        a, b, c = rng.choice(nouns, 3, replace=False)
        found.append(f"the {a} and the {b} at the bank {rng.choice(verbs)} the {c} .\n")
    return found


TEXT = sentences(600, 0)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.build(lambda: iter(TEXT), "raw", "space")


def ids_of(codec: Codec, lines: list[str]) -> Tensor:
    return torch.tensor(codec.encode("".join(lines)))


@pytest.fixture(scope="module")
def network(codec: Codec) -> LanguageNetwork:
    torch.manual_seed(1)
    made = LanguageOptions("gru", 24, num_layers=2, embedding_size=12, dropout=0.0).build(codec.vocab_size)
    text, adam = ids_of(codec, TEXT), torch.optim.Adam(made.parameters(), lr=0.03)
    for _ in range(120):
        starts = torch.randint(len(text) - 27, (12, 1))
        rows = text[starts + torch.arange(27)]
        nats, tokens, _ = made.nats(rows[:, :-1], rows[:, 1:])
        adam.zero_grad()
        (nats / tokens).backward()
        adam.step()
    return made


def found(network: LanguageNetwork, codec: Codec, lines: list[str], word: str = "bank") -> WordInContext:
    return inspect_word(network, codec, ids_of(codec, lines), word, "run", "a text", "pca")


def test_states_part_two_senses_that_share_one_static_vector(network: LanguageNetwork, codec: Codec) -> None:
    said = found(network, codec, sentences(12, 1))
    senses = torch.tensor([any(word in context.split() for word in MONEY[1]) for context in said.contexts])
    assert int(senses.sum()) == 6
    top = cosines(said.states["layer 1"]).fill_diagonal_(-1)
    assert (senses[top.argmax(1)] == senses).all()
    assert top[senses][:, ~senses].max() < top[senses][:, senses].max(1).values.min()
    assert senses.tolist() in ([True] * 6 + [False] * 6, [False] * 6 + [True] * 6)
    first = said.projection.points[:, 0]
    assert first[senses].max() < first[~senses].min() or first[senses].min() > first[~senses].max()
    measures = said.measures
    assert [*measures] == ["static", "layer 0", "layer 1"]
    assert measures["static"].own == pytest.approx(1.0)
    assert 1 > measures["layer 0"].own > measures["layer 1"].own > measures["layer 1"].random
    assert len(said.neighbours) == 5


def test_what_is_said_and_drawn(network: LanguageNetwork, codec: Codec, tmp_path: Path) -> None:
    said = found(network, codec, sentences(40, 2))
    assert len(said.contexts) == 12
    lines = str(said).splitlines()
    assert lines[0] == "run: 'bank' in a text, 520 tokens, at 40 places"
    assert "states after the word was read: of what follows they know nothing" in lines[2]
    assert lines[-1].startswith("  12 ")
    assert "at the [bank] " in lines[-1]
    files = WordInContext.draw([said], tmp_path)
    assert [path.name for path in files] == ["run-bank-cosines.png", "run-bank-places.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)


def test_at_most_four_layers_are_drawn() -> None:
    figure = draw_cosines({f"layer {k}": torch.eye(2) for k in range(9)}, ["a", "b"], "cosines")
    assert [axes.get_title() for axes in figure.axes[:4]] == ["layer 0", "layer 3", "layer 5", "layer 8"]


def test_sentences_end_at_marks_and_random_words_are_distinct(network: LanguageNetwork, codec: Codec) -> None:
    lines = sentences(3, 3)
    said = found(network, codec, lines)
    vectors = network.embedding.weight.detach() if network.embedding is not None else None
    assert vectors is not None
    within = [sentence_cosine(vectors[ids_of(codec, [line.removesuffix(" .\n")])]) for line in lines]
    assert said.measures["static"].sentence == pytest.approx(sum(within) / 3, abs=1e-6)
    kinds = ids_of(codec, lines).unique()
    assert said.measures["static"].random == pytest.approx(mean_cosine(vectors[kinds]), abs=1e-6)
    places = random_places(ids_of(codec, lines), 5)
    assert len(ids_of(codec, lines)[places].unique()) == 5
    assert (places.diff() > 0).all()


def test_measures_against_loops() -> None:
    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    pairs = [float(F.cosine_similarity(vectors[i], vectors[j], dim=0)) for i in range(5) for j in range(5) if i != j]
    assert mean_cosine(vectors) == pytest.approx(sum(pairs) / 20, abs=1e-6)
    middle = vectors.mean(0)
    with_mean = [float(F.cosine_similarity(one, middle, dim=0)) for one in vectors]
    assert sentence_cosine(vectors) == pytest.approx(sum(with_mean) / 5, abs=1e-6)
    assert np.isnan(mean_cosine(vectors[:1]))
    assert np.isnan(measure(vectors, [vectors[:1]], vectors).sentence)


@pytest.mark.parametrize(
    ("word", "lines", "words"),
    [
        ("bnak", TEXT, r"^'bnak' is none of the 27 words that run knows: did you mean 'bank'\?$"),
        ("the bank", TEXT, "word 'the bank' is 2 tokens; give one word"),
        ("bank", ["the loan and the debt\n"], "'bank' stands nowhere in a text; cosines between places need a text"),
        ("bank", TEXT[:1], "'bank' stands once in a text"),
    ],
)
def test_words_that_are_refused(
    network: LanguageNetwork, codec: Codec, word: str, lines: list[str], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        found(network, codec, lines, word)


def test_models_of_characters_are_refused() -> None:
    characters = Codec.build(lambda: iter(TEXT), "raw", "char")
    network = LanguageOptions("gru", 4).build(characters.vocab_size)
    with pytest.raises(
        UserError, match="run reads tokens of kind 'char', which are no words; give --word with a model"
    ):
        found(network, characters, TEXT)


def test_without_an_embedding_there_is_no_static_vector(codec: Codec) -> None:
    network = LanguageOptions("gru", 4, embedding_size=None).build(codec.vocab_size)
    said = found(network, codec, sentences(3, 1))
    assert ([*said.measures], said.neighbours) == (["layer 0"], {})
    assert "static" not in str(said)
