"""Text generation: a prefix in, text out."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from seqlab.decoding.sampling import Sampling, sample
from seqlab.errors import UserError
from seqlab.nn.evaluating import evaluating
from seqlab.nn.one_step import one_step
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS, EOS

MOST_FREQUENT = 1


def continue_text(
    network: nn.Module,
    codec: Codec,
    prefix: str = "",
    num_tokens: int = 200,
    temperature: float | Sequence[float] = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seeds: Sequence[int] = (0,),
    streaming: bool = True,
) -> Iterator[list[str]]:
    """Continues a prefix, once for each seed, and yields the text so far after every token.

    The network first reads the whole prefix; an empty prefix becomes the most frequent token. ``<unk>`` is never drawn.
    If each line is a separate item, a text ends at the end of the line.

    Args:
        network: Ids ``(batch, time)`` and state -> logits and state.
        codec: Codec of the text.
        prefix: Text to continue, cleaned like the training text.
        num_tokens: Tokens to draw.
        temperature: Divides the logits; 0 takes the most likely token. A list has one value above 0 for each sample.
        top_k: Draw among the k most likely tokens only.
        top_p: Draw among the fewest tokens whose probabilities sum to at least p.
        seeds: A seed for each sample.
        streaming: Whether to yield the text after every token, or only when it is complete.

    Yields:
        The text of each sample, with the prefix.

    Raises:
        UserError: A value is out of its range.
    """
    if num_tokens < 1:
        raise UserError(f"num_tokens {num_tokens} must be a whole number of at least 1")
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise UserError(f"seed {seed} must be at least 0 and below 2**63")
    begin, end = (codec.vocab.id_of(mark) if codec.line_begins else None for mark in (BOS, EOS))
    banned = (codec.vocab.unk,) if begin is None else (codec.vocab.unk, begin)
    sampling = Sampling(temperature, top_k, top_p, banned=banned)
    start = codec.encode(prefix)
    device = next(network.parameters()).device
    ids = torch.tensor([start or [MOST_FREQUENT]] * len(seeds), device=device)  # (samples, time)
    rows: list[list[int]] = [list(start) for _ in seeds]
    with evaluating(network):
        for count, new in enumerate(sample(one_step(network), ids, num_tokens, sampling, seeds), start=1):
            for row, token in zip(rows, new.tolist(), strict=True):
                if end is None or row[-1] != end:
                    row.append(token)
            if streaming or count == num_tokens:
                yield [codec.written(row) for row in rows]
