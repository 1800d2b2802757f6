"""One word at all its places: the states of a language model, compared with the word's embedding."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from seqlab.analysis.context_measures import ContextMeasures, cosines, measure, random_places
from seqlab.analysis.embeddings import nearest, shown_token
from seqlab.analysis.layer_states import states_at
from seqlab.analysis.projection import Method, Projection, principal_components, project
from seqlab.errors import UserError, nearest_spelling
from seqlab.nn.language_network import ForwardAndBackward, LanguageNetwork
from seqlab.nn.transformer_language import TransformerLanguage
from seqlab.text.codec import Codec
from seqlab.text.tokenize import WORDS
from seqlab.text.vocab import BOS, EOS

if TYPE_CHECKING:
    from seqlab.figures import Figure

MOST_PLACES = 200
"""Most places in the measures, evenly spaced if there are more."""
SHOWN = 12
"""Most places to list and draw, also evenly spaced."""
RANDOM = 1000
"""Number of random words, as in the paper."""
BEFORE, AFTER = 5, 3
"""Number of context tokens to show."""
LONGEST_SIDE = 32
"""Most tokens of a sentence on each side of the word."""
ENDS = (".", "!", "?", "\n", EOS, BOS)
NEIGHBOURS = 5
AHEAD = "states after the word was read: of what follows they know nothing"
BOTH = "states of two stacks side by side: one has read what stands before and the word, one the word and what follows"


@dataclass(frozen=True)
class WordInContext:
    """One word in one language model.

    Args:
        name: Name of the run that trained it.
        word: The word as in the vocabulary.
        source: The text, and the number of the word's places, in words.
        told: Which context the states have read, in words.
        measures: Measures of the static vectors, if there are any, and of each layer, the lowest first, by name.
        neighbours: Words with the nearest static vectors, with cosines; empty without an embedding.
        contexts: Contexts of the shown places, in the order of the first principal component of the top layer.
        states: States of each layer by name, at these places ``(places, size)``.
        projection: Projection of the top layer.
    """

    name: str
    word: str
    source: str
    told: str
    measures: dict[str, ContextMeasures]
    neighbours: dict[str, float]
    contexts: list[str]
    states: dict[str, Tensor] = field(repr=False)
    projection: Projection = field(repr=False)

    def __str__(self) -> str:
        lines = [f"{self.name}: '{self.word}' in {self.source}", ""]
        lines += [self.told]
        lines += [
            "cosines between places, and of its sentences' words with their mean; beyond: less those of random words"
        ]
        lines += [f"{'':>12}{'places':>10}{'random':>10}{'beyond':>10}{'sentence':>10}{'beyond':>10}"]
        for layer, (own, sentence, random) in self.measures.items():
            numbers = own, random, own - random, sentence, sentence - random
            lines.append(f"{layer:>12}" + "".join(f"{number:>10.3f}" for number in numbers))
        if self.neighbours:
            near = ", ".join(f"{word} {cosine:.2f}" for word, cosine in self.neighbours.items())
            lines += ["", f"nearest to the one static vector: {near}"]
        layer, states = [*self.states.items()][-1]
        columns = range(1, len(self.contexts) + 1)
        lines += ["", f"cosines between places in {layer}, ordered by their first principal component"]
        lines += [" " * 4 + "".join(f"{number:>6}" for number in columns)]
        for number, row, context in zip(columns, cosines(states).tolist(), self.contexts, strict=True):
            lines.append(f"{number:>4}" + "".join(f"{cosine:>6.2f}" for cosine in row) + f"  {context}")
        return "\n".join(lines)

    def figures(self) -> "dict[str, Figure]":
        """The cosines of each layer, and the places of the top layer as points, by file name."""
        from seqlab.analysis.context_pictures import draw_cosines
        from seqlab.analysis.labelled_points import draw_points

        written, top = re.sub(r"[^\w-]", "_", self.word), [*self.states][-1]
        begin = f"{self.name}-{written}"
        matrices = {layer: cosines(states) for layer, states in self.states.items()}
        title = f"'{self.word}' in its contexts: {top} of {self.name}"
        return {
            f"{begin}-cosines.png": draw_cosines(matrices, self.contexts, f"Cosines between places of '{self.word}'"),
            f"{begin}-places.png": draw_points(self.projection, self.contexts, title),
        }

    @staticmethod
    def draw(inspections: "Sequence[WordInContext]", folder: Path) -> list[Path]:
        """Draws the figures of each model; returns the files.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.figures import save_figures

        figures = {name: figure for each in inspections for name, figure in each.figures().items()}
        return save_figures(figures, folder)


@dataclass(frozen=True)
class Reading:
    """A text as a model reads it.

    Args:
        name: Name of the model.
        source: Name of the text.
        size: Length of the text, in words.
        told: Which context the states have read, in words.
        codec: Codec of the words' ids.
        ids: The text ``(time,)`` int64.
        vectors: Vectors at some places in ascending order, ``(places,)`` int64: ``(places, size)`` float32 by the name
            of the layer, the lowest first, or ``static``.
        unread: Id of what the model does not read, such as a line end between two texts; None if it reads everything.
    """

    name: str
    source: str
    size: str
    told: str
    codec: Codec
    ids: Tensor
    vectors: Callable[[Tensor], dict[str, Tensor]]
    unread: int | None = None


def inspect_word(
    network: LanguageNetwork | TransformerLanguage,
    codec: Codec,
    ids: Tensor,
    word: str,
    name: str,
    source: str,
    projection: Method,
) -> WordInContext:
    """Reads a text and compares the states at the places of a word.

    Args:
        network: The trained network.
        codec: Codec of its ids.
        ids: Text to read ``(time,)`` int64.
        word: The word.
        name: Name of the run that trained it.
        source: Name of the text.
        projection: Projection of the figure: pca or tsne.

    Raises:
        UserError: The model does not read words, does not know this word, or the text does not have it twice.
    """
    known = known_word(codec, word, name)

    def vectors(places: Tensor) -> dict[str, Tensor]:
        layers = {f"layer {layer}": states for layer, states in enumerate(states_at(network, ids, places))}
        if network.embedding is None:
            return layers
        return {"static": network.embedding.weight.detach().float().cpu()[ids[places]], **layers}

    told = BOTH if isinstance(network, ForwardAndBackward) else AHEAD
    reading = Reading(name, source, f"{len(ids):,} tokens", told, codec, ids, vectors)
    return compare_places(reading, known, _static_neighbours(network, codec, known), projection)


def compare_places(reading: Reading, word: str, neighbours: dict[str, float], projection: Method) -> WordInContext:
    """Compares the vectors of a word at all its places.

    Args:
        reading: A text, and the vectors of its words.
        word: The word, in the form that the vocabulary has.
        neighbours: Nearest to its static vector, with cosines.
        projection: Projection of the figure: pca or tsne.

    Raises:
        UserError: The text does not have the word twice.
    """
    codec, ids = reading.codec, reading.ids
    all_places = (ids == codec.vocab[word]).nonzero().squeeze(1) if word in codec.vocab else ids[:0]
    if len(all_places) < 2:
        often = "once" if len(all_places) else "nowhere"
        raise UserError(
            f"'{word}' stands {often} in {reading.source}; cosines between places need a text that has it twice"
        )
    places = _spread(all_places, MOST_PLACES)
    sentences = _sentences(codec, ids, places)
    random = random_places(ids, RANDOM)
    if reading.unread is not None:
        random = random[ids[random] != reading.unread]
    needed = torch.cat([places, random, *sentences]).unique()
    layers = reading.vectors(needed)

    def at(vectors: Tensor, asked: Tensor) -> Tensor:
        return vectors[torch.searchsorted(needed, asked)]

    measures = {
        layer: measure(at(vectors, places), [at(vectors, one) for one in sentences], at(vectors, random))
        for layer, vectors in layers.items()
    }
    shown, top = _spread(places, SHOWN), [*layers.values()][-1]
    shown = shown[principal_components(at(top, shown))[0][:, 0].argsort(stable=True)]
    return WordInContext(
        reading.name,
        word,
        f"{reading.source}, {reading.size}, at {len(all_places):,} places",
        reading.told,
        measures,
        neighbours,
        [_context(codec, ids, int(place)) for place in shown],
        {layer: at(vectors, shown) for layer, vectors in layers.items() if layer != "static"},
        project(at(top, shown), projection),
    )


def known_word(codec: Codec, word: str, name: str) -> str:
    """The token of a word.

    Raises:
        UserError: The model's tokens are not words, the word is several tokens, or it is unknown.
    """
    if codec.tokenizer.name not in WORDS:
        raise UserError(
            f"{name} reads tokens of kind '{codec.tokenizer.name}', which are no words; give --word with a model that "
            "was trained with --data.tokens word or space"
        )
    tokens = codec.words(word)
    if len(tokens) != 1:
        raise UserError(f"word '{word}' is {len(tokens)} tokens; give one word")
    if tokens[0] not in codec.vocab:
        words = [token for token, _ in codec.vocab.frequencies if token.strip()]
        way_out = nearest_spelling(word, words) or "give a word of its training text"
        raise UserError(f"'{word}' is none of the {len(words):,} words that {name} knows: {way_out}")
    return tokens[0]


def _spread(places: Tensor, most: int) -> Tensor:
    """So many places, evenly spaced, from the first to the last."""
    if len(places) <= most:
        return places
    return places[torch.linspace(0, len(places) - 1, most).round().long()]


def _sentences(codec: Codec, ids: Tensor, places: Tensor) -> list[Tensor]:
    """The places of the words in the sentence around each place."""
    ends = torch.tensor([codec.vocab[mark] for mark in ENDS if mark in codec.vocab], dtype=torch.int64)
    found = []
    for place in places.tolist():
        begin, end = max(0, place - LONGEST_SIDE), min(len(ids), place + LONGEST_SIDE + 1)
        marks = torch.isin(ids[begin:end], ends).nonzero().squeeze(1) + begin
        before, after = marks[marks < place], marks[marks > place]
        first = int(before[-1]) + 1 if len(before) else begin
        found.append(torch.arange(first, int(after[0]) if len(after) else end))
    return found


def _context(codec: Codec, ids: Tensor, place: int) -> str:
    """The words around a place, on one line, with the word at the place in brackets."""
    before, here, after = ids[max(0, place - BEFORE) : place], ids[[place]], ids[place + 1 : place + 1 + AFTER]
    left, word, right = (" ".join(codec.written(part.numpy()).split()) for part in (before, here, after))
    return f"{left} [{word}] {right}".strip()


def _static_neighbours(network: LanguageNetwork | TransformerLanguage, codec: Codec, word: str) -> dict[str, float]:
    if network.embedding is None:
        return {}
    (near,) = nearest(network.embedding.weight.detach().cpu(), [codec.vocab[word]], NEIGHBOURS)
    return {shown_token(codec.vocab.tokens([one.id])[0]): one.cosine for one in near}
