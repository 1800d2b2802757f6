"""Sentences in, translations out."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from seqlab.decoding.beam import Beam, Hypothesis, beam_search
from seqlab.errors import UserError
from seqlab.nn.translator import Translator
from seqlab.text.codec import Codec
from seqlab.text.vocab import BOS, EOS, PAD, UNK

HYPOTHESES = 1280
"""Most hypotheses to search at once, over all sentences together."""


class Translation(NamedTuple):
    """One translation of a sentence.

    Args:
        text: The translation as plain text.
        score: Score of the ranking.
        source: Tokens of the sentence, with the end.
        target: Tokens of the translation, with the end.
        attention: Weights ``(target tokens, source tokens)``, if requested.
        complete: Whether it ended by itself, not at its token limit or because all next tokens were forbidden.
    """

    text: str
    score: float
    source: list[str]
    target: list[str]
    attention: Tensor | None
    complete: bool = True


def encoded(codec: Codec, sentences: Sequence[str]) -> list[list[int]]:
    """The ids of sentences, at least one of each.

    Raises:
        UserError: A sentence is empty.
    """
    ids = [codec.encode(sentence) for sentence in sentences]
    for row, (sentence, tokens) in enumerate(zip(sentences, ids, strict=True), 1):
        if not tokens:
            raise UserError(f"sentence {row} ({sentence!r}) has nothing to translate; give it at least one word")
    return ids


def translate(
    network: Translator,
    source_codec: Codec,
    target_codec: Codec,
    sentences: Sequence[str],
    beam: Beam,
    attention: bool = False,
    prefix: str = "",
    progress: bool = False,
) -> list[list[Translation]]:
    """Translates sentences in batches of similar length; a translation does not depend on the other sentences.

    Args:
        network: Network in evaluation mode.
        source_codec: Codec of the source text.
        target_codec: Codec of the target text.
        sentences: Sentences as plain text.
        beam: Options of the search.
        attention: Whether to return attention weights.
        prefix: Text that every translation starts with.
        progress: Whether to show a progress bar if stderr is a terminal.

    Returns:
        For each sentence its ``beam.n_best`` translations, best first, in the order of the sentences.

    Raises:
        UserError: A sentence is empty, or attention is requested from a network without attention.
    """
    ids = encoded(source_codec, sentences)
    return translate_ids(network, source_codec, target_codec, ids, beam, attention, prefix, progress)


def translate_ids(
    network: Translator,
    source_codec: Codec,
    target_codec: Codec,
    ids: Sequence[list[int]],
    beam: Beam,
    attention: bool = False,
    prefix: str = "",
    progress: bool = False,
) -> list[list[Translation]]:
    """``translate`` for the ids of sentences, without the end; each sentence has at least one id."""
    found: list[list[Translation]] = [[] for _ in ids]
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    together = max(1, HYPOTHESES // beam.size)
    for start in tqdm(range(0, len(order), together), unit="batch", disable=None if progress else True):
        rows = order[start : start + together]
        hypotheses = _search(network, source_codec, target_codec, [ids[row] for row in rows], beam, attention, prefix)
        for row, best in zip(rows, hypotheses, strict=True):
            source = [*source_codec.vocab.tokens(ids[row]), EOS]
            found[row] = [_said(one, source, target_codec) for one in best]
    return found


def _said(one: Hypothesis, source: list[str], codec: Codec) -> Translation:
    target = [*codec.vocab.tokens(one.tokens), EOS]
    weights = None if one.attention is None else one.attention[:, : len(source)]
    return Translation(codec.written(one.tokens), one.score, source, target, weights, one.complete)


def _search(
    network: Translator,
    source_codec: Codec,
    target_codec: Codec,
    ids: Sequence[list[int]],
    beam: Beam,
    attention: bool,
    prefix: str,
) -> list[list[Hypothesis]]:
    device = next(network.parameters()).device
    lengths = torch.tensor([len(tokens) + 1 for tokens in ids], device=device)
    end, padding = source_codec.vocab.id_of(EOS), source_codec.vocab.id_of(PAD)
    longest = max(map(len, ids)) + 1
    rows = [[*tokens, end, *[padding] * (longest - len(tokens) - 1)] for tokens in ids]
    state = network.encode(torch.tensor(rows, device=device), lengths)
    bos, eos, pad, unk = (target_codec.vocab.id_of(token) for token in (BOS, EOS, PAD, UNK))
    start = target_codec.encode(prefix) if prefix else []
    banned, own = (unk, pad, bos), [len(tokens) for tokens in ids]
    return beam_search(network.step, state, len(ids), bos, eos, beam, banned, start, own, attention, device)
