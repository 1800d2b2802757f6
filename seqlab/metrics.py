"""Numbers that say how good a model is: sums first, then one division, then exp."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric


class TokenLoss(Metric):
    """Mean cross-entropy in nats per token over all batches and all processes; its exp is the perplexity.

    Sums nats in float64 and tokens in int64, so that neither many tokens nor small differences are lost.
    """

    full_state_update = False
    nats: Tensor
    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("nats", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("tokens", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, nats: Tensor, tokens: int | Tensor) -> None:
        """Counts one batch: its cross-entropy summed over tokens, in nats, and the number of those tokens."""
        self.nats += nats.detach()
        self.tokens += tokens

    def compute(self) -> Tensor:
        return self.nats / self.tokens


def perplexity(nats: float) -> float:
    """exp of nats per token; infinite where no float is as large."""
    return math.inf if nats > math.log(sys.float_info.max) else math.exp(nats)


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)


class Score(NamedTuple):
    """A score of translations, from 0 to 100, with the signature that says how it was computed."""

    value: float
    signature: str


def corpus_bleu(said: Sequence[str], wanted: Sequence[str]) -> Score:
    """BLEU of a corpus (Papineni et al. 2002), through sacrebleu (Post 2018), on detokenised sentences."""
    import sacrebleu  # a third of a second that language models need not wait

    metric = sacrebleu.BLEU()
    score = metric.corpus_score(list(said), [list(wanted)]).score
    return Score(score, str(metric.get_signature()))


def corpus_chrf(said: Sequence[str], wanted: Sequence[str]) -> Score:
    """chrF2 of a corpus (Popovic 2015), through sacrebleu, on detokenised sentences."""
    import sacrebleu

    metric = sacrebleu.CHRF()
    score = metric.corpus_score(list(said), [list(wanted)]).score
    return Score(score, str(metric.get_signature()))


def bleu_book(said: str, wanted: str, longest: int = 2) -> float:
    """The book's BLEU of one sentence of tokens between spaces, from 0 to 1.

        exp(min(0, 1 - len(wanted) / len(said))) * product over n of precision_n ** (0.5 ** n)

    Args:
        said: The translation.
        wanted: The reference.
        longest: n-grams that are matched, from 1 to this.
    """
    given, reference = said.split(), wanted.split()
    if len(given) < longest:
        return 0.0
    score = math.exp(min(0.0, 1 - len(reference) / len(given)))
    for n in range(1, longest + 1):
        grams, known = (Counter(zip(*(words[k:] for k in range(n)), strict=False)) for words in (given, reference))
        score *= ((grams & known).total() / grams.total()) ** (0.5**n)
    return score
