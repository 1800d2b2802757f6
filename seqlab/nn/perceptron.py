"""Words -> tags by an averaged perceptron on hand-made features, from left to right."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from seqlab.nn.crf import CRF
from seqlab.nn.suffix import endings_of
from seqlab.nn.tagger import OutputOptions, Sentences
from seqlab.options import option
from seqlab.recurrence.lengths import valid_steps

SUFFIX, PREFIX = 5, 3
"""Characters of the longest suffix and of the longest prefix that are features."""
PAIRS = 1 << 17
"""Rows for pairs of a word and the previous tag; a hash chooses the row."""
BORDER = -7
"""Id of a position outside the sentence."""
MIXED, JOINT = -7046029254386353131, 0x5851F42D4C957F2D
"""Odd multipliers of the hash, which spread numbers over 64 bits."""
TEMPERATURES = torch.logspace(-1, 2, 61)
"""Candidate temperatures; the scores are divided by one of them."""


@dataclass(frozen=True)
class PerceptronOptions(OutputOptions):
    """Options of ``Perceptron``."""

    by_gradients: ClassVar[bool] = False
    seconds_an_item: ClassVar[float] = 1.5e-4

    passes: int = option(5, "Passes over the training part.", least=1)

    def build(self, vocab_size: int, characters: int, tags: int) -> "Perceptron":
        """The network of these options.

        Args:
            vocab_size: Number of word ids.
            characters: Number of character ids.
            tags: Number of tags, one score each.
        """
        return Perceptron(tags, self)


def features_of(sentences: Sentences) -> Tensor:
    """Features of each word and its context, as numbers ``(batch, time, features)`` int64.

    The word, its suffixes of 1 to 5 characters, its prefixes of 1 to 3 and its casing; the words up to two places
    away; suffixes of 2 and 3 characters and casing of the two neighbours; each neighbour joined with the word; the
    casing of all three words joined; and one feature that every word has.
    """
    endings = endings_of(sentences.spellings, sentences.spelling_lengths, SUFFIX)[sentences.places]
    beginnings = _beginnings_of(sentences)[sentences.places]
    valid = valid_steps(sentences.lengths, sentences.ids.shape[1]).t()
    word, two, three, casing = endings[..., -1], endings[..., 2], endings[..., 3], sentences.casing

    def at(values: Tensor, by: int) -> Tensor:
        return _moved(values, valid, by)

    own = [word, *endings[..., 1:-1].unbind(-1), *beginnings.unbind(-1), casing, torch.zeros_like(word)]
    around = [at(word, by) for by in (-2, -1, 1, 2)]
    around += [at(part, by) for part in (three, casing, two) for by in (-1, 1)]
    joint = [_joint(word, at(word, -1)), _joint(word, at(word, 1)), _joint(three, at(casing, -1))]
    joint.append(_joint(casing, _joint(at(casing, -1), at(casing, 1))))
    stacked = torch.stack([*own, *around, *joint], -1)
    place = torch.arange(1, stacked.shape[-1] + 1, device=stacked.device)
    return _joint(stacked, place)


def _joint(one: Tensor, other: Tensor) -> Tensor:
    """One number for a pair of numbers."""
    return (one + other * JOINT) * MIXED ^ other


def _beginnings_of(sentences: Sentences) -> Tensor:
    """Numbers for the first 1, 2 and 3 characters of each different word ``(words, 3)``."""
    total, found = torch.zeros_like(sentences.spelling_lengths), []
    for place in range(PREFIX):
        if place < sentences.spellings.shape[1]:
            inside = place < sentences.spelling_lengths
            total = _joint(total, torch.where(inside, sentences.spellings[:, place], -1))
        found.append(total)
    return torch.stack(found, 1)


def _moved(values: Tensor, valid: Tensor, by: int) -> Tensor:
    """The value of the word ``by`` places later, or ``BORDER``."""
    inside = torch.where(valid, values, BORDER)
    border = values.new_full((len(values), min(abs(by), values.shape[1])), BORDER)
    return torch.cat([inside[:, by:], border], 1) if by > 0 else torch.cat([border, inside[:, :by]], 1)


class Perceptron(nn.Module):
    """Greedy tagging: the tag of the highest score, given the tags predicted so far (Collins 2002, W02-1001).

        scores = sum over the features of a word of their weights
               + weights of the previous tag, of the two previous tags, of the word with the previous tag

    A wrong prediction subtracts 1 from the weights of the wrong tag and adds 1 to those of the right tag. The final
    weights are the mean over all words that were read. Each pass shuffles the sentences, from a fixed seed.

    Args:
        tags: Number of tags.
        options: Options of the network.
    """

    def __init__(self, tags: int, options: PerceptronOptions) -> None:
        super().__init__()
        self.tags, self.options = tags, options
        self.register_buffer("keys", torch.empty(0, dtype=torch.int64))
        self.register_buffer("weights", torch.empty(0, tags))
        self.register_buffer("history", torch.zeros(self._history_rows(), tags))
        self.register_buffer("temperature", torch.ones(()))
        self.crf = CRF(tags, learned=False)
        self.nothing = nn.Parameter(torch.empty(0))  # the Trainer needs a parameter; this model trains none

    def _history_rows(self) -> int:
        states = self.tags + 1  # the last one is the border
        return states + states * states + PAIRS

    def count(self, batches: Iterable[Sentences], tags: Iterable[Tensor]) -> None:
        """Trains on tagged sentences; earlier weights are dropped.

        Args:
            batches: Batches of the sentences.
            tags: Tags of each batch ``(batch, time)`` int64, -1 where a word has none.
        """
        kept = [*zip(batches, tags, strict=True)]
        rows: list[NDArray[np.int64]] = []
        wanted: list[NDArray[np.int64]] = []
        for batch, right in kept:
            found = features_of(batch).cpu().numpy()
            for row, path, length in zip(found, right.cpu().numpy(), batch.lengths.tolist(), strict=True):
                rows.append(row[:length])
                wanted.append(path[:length])
        keys, places = np.unique(np.concatenate(rows), return_inverse=True)
        cuts = np.cumsum([len(row) for row in rows])[:-1]
        ids = np.split(places.reshape(-1, rows[0].shape[1]), cuts)
        weights = self._learned(ids, wanted, len(keys))
        device = self.nothing.device
        self.keys = torch.from_numpy(keys).to(device)
        self.weights = torch.from_numpy(weights[: len(keys)]).to(device)
        self.history = torch.from_numpy(weights[len(keys) :]).to(device)
        self.temperature = torch.ones((), device=device)
        self._calibrate(kept)

    def _learned(self, ids: list[NDArray[np.int64]], wanted: list[NDArray[np.int64]], size: int) -> NDArray[np.float32]:
        """The mean weights of the features, then those of the previous tags."""
        states, features = self.tags + 1, ids[0].shape[1]
        weights = np.zeros((size + self._history_rows(), self.tags), dtype=np.float32)
        steps = np.zeros_like(weights, dtype=np.float64)  # sum of each change times the words read before it
        row = np.empty(features + 3, dtype=np.int64)
        order, read = np.random.default_rng(0), 0
        for _ in range(self.options.passes):
            for number in order.permutation(len(ids)).tolist():
                last = before = self.tags
                for seen, right in zip(ids[number], wanted[number].tolist(), strict=True):
                    row[:features] = seen
                    row[features] = size + last
                    row[features + 1] = size + states + before * states + last
                    row[features + 2] = size + states + states * states + _pair(int(seen[0]), last)
                    said = int(weights.take(row, 0).sum(0).argmax())
                    read += 1
                    if said != right and right >= 0:
                        weights[row, right] += 1
                        weights[row, said] -= 1
                        steps[row, right] += read
                        steps[row, said] -= read
                    before, last = last, said
        mean: NDArray[np.float32] = (weights - steps / max(1, read)).astype(np.float32)
        return mean

    @torch.no_grad()
    def _calibrate(self, kept: list[tuple[Sentences, Tensor]]) -> None:
        """Divides the scores by the temperature with the lowest cross-entropy on the training sentences."""
        pairs = [(self(batch)[right >= 0], right[right >= 0]) for batch, right in kept]
        scores, right = torch.cat([one for one, _ in pairs]), torch.cat([one for _, one in pairs])
        nats = torch.stack([F.cross_entropy(scores / temperature, right) for temperature in TEMPERATURES])
        self.temperature = TEMPERATURES[int(nats.argmin())].clone().to(self.nothing.device)

    def forward(self, sentences: Sentences) -> Tensor:
        """Scores of the tags of each word ``(batch, time, tags)``, given the best tags of the words before."""
        found = features_of(sentences)
        place = torch.searchsorted(self.keys, found).clamp(max=len(self.keys) - 1)
        known = self.keys[place] == found
        seen = (self.weights[place] * known.unsqueeze(-1)).sum(2)  # (batch, time, tags)
        states = self.tags + 1
        last = before = torch.full_like(sentences.ids[:, 0], self.tags)
        words, known_word = place[..., 0], known[..., 0]
        steps = []
        for step in range(seen.shape[1]):
            pair = self.history[states + states * states + _pairs(words[:, step], last)]
            scores = seen[:, step] + self.history[last] + self.history[states + before * states + last]
            scores = scores + pair * known_word[:, step].unsqueeze(-1)
            steps.append(scores)
            before, last = last, scores.argmax(-1)
        return torch.stack(steps, 1) / self.temperature + self.nothing.sum()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Takes the number of features from the checkpoint."""
        for name in ("keys", "weights"):
            setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.nothing.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _pair(word: int, tag: int) -> int:
    return (word * 31 + tag) * 40503 % PAIRS


def _pairs(words: Tensor, tags: Tensor) -> Tensor:
    return (words * 31 + tags) * 40503 % PAIRS
