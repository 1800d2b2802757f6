"""Vectors of the words of a text in a network that reads subwords: the mean of the states of a word's subwords."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seqlab.errors import UserError

MOST_POSITIONS = 512
"""Most subwords of a line that the network reads at once; a longer line is read in pieces."""
FOR_PADDING = 2
"""Positions that networks of RoBERTa's kind keep for padding."""
ROWS = 16
"""Number of pieces of one length that the network reads at once."""


class Place(NamedTuple):
    """A word of a text: characters ``begin`` to ``end - 1`` of a line."""

    line: int
    begin: int
    end: int


class _Hits(NamedTuple):
    """Words in a line, or in a part of a long one.

    Args:
        ids: Ids of its subwords and of the marks around them.
        words: Numbers of the words, once for each of their subwords ``(subwords,)``.
        columns: Places of these subwords among the ids ``(subwords,)``.
    """

    ids: list[int]
    words: Tensor
    columns: Tensor


class SubwordReader:
    """A network of ``transformers`` with its tokenizer.

    Args:
        name: Name for messages.
        tokenizer: A fast tokenizer.
        network: The network, in evaluation mode.

    Raises:
        UserError: The network does not read text alone.
    """

    def __init__(self, name: str, tokenizer: Any, network: Any) -> None:
        self.name, self.tokenizer = name, tokenizer
        try:
            self.network = network.get_encoder() if network.config.is_encoder_decoder else network
            self.embedding: Tensor = network.get_input_embeddings().weight.detach().float()
            self.reads_ahead = self._reads_ahead()
        except Exception as error:  # networks of pictures or sound raise many kinds
            kind = type(network).__name__
            raise UserError(
                f"{name} holds a {kind}, which does not read text alone; give one like BERT or GPT-2"
            ) from error

    @torch.no_grad()
    def layers(self, ids: Tensor) -> list[Tensor]:
        """States ``(batch, time, size)`` float32 of ids ``(batch, time)``: of the input, then of each layer."""
        output = self.network(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        return [states.float() for states in output.hidden_states]

    def vectors(self, lines: Sequence[str], places: Sequence[Place]) -> dict[str, Tensor]:
        """Means of the vectors of the subwords of each word.

        Args:
            lines: The text; each line is read by itself.
            places: Words of it.

        Returns:
            ``(places, size)`` float32 by name: ``static`` is the embedding of the subwords alone, ``embedding`` what
            the lowest layer reads (with positions), ``layer 0`` and so on the outputs of the layers.

        Raises:
            UserError: The tokenizer is of another network, or states are not finite.
        """
        by_length: dict[int, list[_Hits]] = {}
        for hits in self._hits(lines, places):
            by_length.setdefault(len(hits.ids), []).append(hits)
        sums: dict[str, Tensor] = {}
        counts = torch.zeros(len(places), 1)
        for alike in by_length.values():
            for begin in range(0, len(alike), ROWS):
                read = alike[begin : begin + ROWS]
                words = torch.cat([hits.words for hits in read])
                columns = torch.cat([hits.columns for hits in read])
                rows = torch.arange(len(read)).repeat_interleave(torch.tensor([len(hits.words) for hits in read]))
                counts.index_add_(0, words, torch.ones(len(words), 1))
                for name, states in self._named(torch.tensor([hits.ids for hits in read])):
                    total = sums.setdefault(name, torch.zeros(len(places), states.shape[-1]))
                    total.index_add_(0, words, states[rows, columns])
        means = {name: total / counts.clamp(min=1) for name, total in sums.items()}
        if broken := next((name for name, mean in means.items() if not mean.isfinite().all()), None):
            raise UserError(f"states of {self.name} in {broken} are not finite; its weights are broken, give others")
        return means

    def ignores_case(self) -> bool:
        """Whether a word in capitals has the same subwords."""
        capitals, small = self.tokenizer(["BANK", "bank"])["input_ids"]
        return bool(capitals == small)

    def _named(self, ids: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "static", self.embedding[ids]
        first, *layers = self.layers(ids)
        yield "embedding", first
        yield from ((f"layer {number}", states) for number, states in enumerate(layers))

    def _reads_ahead(self) -> bool:
        """Whether a state depends on what follows: whether the first ones change with the last token."""
        ids = torch.arange(5) % len(self.embedding)
        one, other = (self.layers(read[None])[-1][0, :3] for read in (ids[:4], ids[[0, 1, 2, 4]]))
        return not torch.allclose(one, other, rtol=1e-4, atol=1e-5)

    def _hits(self, lines: Sequence[str], places: Sequence[Place]) -> Iterator[_Hits]:
        of_line: dict[int, list[int]] = {}
        for number, place in enumerate(places):
            of_line.setdefault(place.line, []).append(number)
        read = self.tokenizer(
            [lines[line] for line in of_line],
            truncation=True,
            max_length=self._most_ids(),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        asked = [*of_line.values()]
        parts = read["overflow_to_sample_mapping"], read["input_ids"], read["offset_mapping"]
        for line, ids, spans in zip(*parts, strict=True):
            if max(ids, default=0) >= len(self.embedding):
                raise UserError(
                    f"the tokenizer of {self.name} gives id {max(ids)}, but its weights have {len(self.embedding):,} "
                    "embeddings; give the tokenizer that belongs to them"
                )
            subwords = torch.tensor(spans, dtype=torch.int64).view(-1, 2)
            words = torch.tensor([places[number][1:] for number in asked[line]])
            overlap = torch.minimum(words[:, 1:], subwords[:, 1]) > torch.maximum(words[:, :1], subwords[:, 0])
            rows, columns = overlap.nonzero(as_tuple=True)
            if len(rows):
                yield _Hits(ids, torch.tensor(asked[line])[rows], columns)

    def _most_ids(self) -> int:
        positions = getattr(self.network.config.get_text_config(), "max_position_embeddings", None) or 0
        most = positions - FOR_PADDING if positions > 0 else MOST_POSITIONS  # XLNet says -1: any number
        return int(min(MOST_POSITIONS, most, self.tokenizer.model_max_length))
