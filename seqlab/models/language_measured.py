"""Measures how well a network predicts one part of a text."""

import time
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqlab.data.parts import Split
from seqlab.data.streams import EvaluationBatches, TextBatch
from seqlab.data.text import TextData
from seqlab.data.text_lines import EvaluationLines, TextLines
from seqlab.metrics import PERPLEXITY, MeanLoss
from seqlab.models.language_report import LanguageReport
from seqlab.nn.next_token import NextToken
from seqlab.nn.ngram import NGram
from seqlab.text.codec import Codec

BLOCK = 100
"""Tokens in an item of a report."""


@torch.inference_mode()
def measured(
    network: NextToken | NGram, codec: Codec, data: TextData, split: Split, items: bool, device: torch.device
) -> LanguageReport:
    """Predicts every token of a part once, with the state carried.

    Args:
        network: Network in evaluation mode.
        codec: Codec of its ids.
        data: The text.
        split: Part of the data.
        items: Whether the report also has results for each run of 100 tokens, or for each line.
        device: Device of the network.
    """
    started, state, unknown, streams = time.monotonic(), None, 0, 0
    total = MeanLoss(alone=True).to(device)
    loader, part = data.evaluation_loader(split), data.part(split)
    each = np.zeros(len(part.ids) - 1) if items else None
    for index, batch in enumerate(loader):
        inputs, targets = batch.inputs.to(device), batch.targets.to(device)
        valid = None if batch.valid is None else batch.valid.to(device)
        if each is not None:
            nats, _ = network.token_nats(inputs, targets, state if batch.continues else None)
            _place(each, nats, batch, index, cast(EvaluationBatches | EvaluationLines, loader.batches))
        before = state if batch.continues else None
        sum_of_nats, tokens, state = network.nats(inputs, targets, valid, before)
        total.update(sum_of_nats, tokens)
        real = targets if valid is None else targets[valid]
        unknown += int((real == codec.vocab.unk).sum())
        streams = len(inputs)
    lines = data.lines_of(split)
    loss = float(total.compute())
    many = (streams, "stream") if lines is None else (len(lines.starts), "line")
    return LanguageReport(
        corpus=data.corpus_name,
        split=split,
        loss=loss,
        count=int(total.count),
        seconds=time.monotonic() - started,
        measures={"perplexity": PERPLEXITY.of_loss(loss)} if PERPLEXITY.of_loss else {},
        items={} if each is None else _runs(each, part.ids, lines, codec),
        unknown=unknown,
        characters=part.characters - len(codec.decode(part.ids[:1].tolist())),
        streams=many[0],
        state=network.memory_in_words(*many),
    )


def _runs(nats: NDArray[np.float64], ids: NDArray[Any], lines: TextLines | None, codec: Codec) -> dict[str, list[Any]]:
    """Results of each run of tokens, or of each line."""
    if lines is None:
        runs = [(begin, min(begin + BLOCK, len(nats))) for begin in range(0, len(nats), BLOCK)]
    else:
        runs = [*zip(lines.starts.tolist(), (lines.starts + lines.lengths).tolist(), strict=True)]
    return {
        "item": [*range(len(runs))],
        "tokens": [end - begin for begin, end in runs],
        "nats": [float(nats[begin:end].sum()) for begin, end in runs],
        "text": [codec.written(ids[begin + 1 : end + (lines is None)]) for begin, end in runs],
    }


def _place(
    each: NDArray[np.float64], nats: Tensor, batch: TextBatch, index: int, batches: EvaluationBatches | EvaluationLines
) -> None:
    """Writes the losses of a batch to the positions of its tokens in the text."""
    places = batches.places(index, nats.shape[1])
    real = np.ones(places.shape, dtype=bool) if batch.valid is None else batch.valid.numpy()
    each[places[real]] = nats.double().cpu().numpy()[real]
