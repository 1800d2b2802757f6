"""Decoding with an attention model, against a bare loop over the same network in plain ``torch.nn``.

    python experiments/speed/decoding.py [--sentences 256] [--beam 1 5] [--rounds 7]

Bidirectional GRU 256, general attention, 6,000 ids on either side; sentences of 3 to 12 tokens in one batch and one at
a time, translations of at most 12 tokens. Both search with the same weights, which are random, so that few hypotheses
end early. The bare loop has no least length and no length penalty, and keeps all sentences until the last is done.
Ratios are theirs over ours, so that above 1 is in our favour.
"""

import argparse
import time
from functools import partial

from pairing import compare, machine
from seqlab.nn.translation_network import TranslationOptions
from seqlab.nn.translator import Translator
from seqlab.runs.allocator import keep_freed_memory
from translation import BOS, EOS, IDS, MOST, decode

import torch
from torch import Tensor, nn


class Bare(nn.Module):
    """As one would write it by hand."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(IDS, size), nn.Embedding(IDS, size)
        self.encoder = nn.GRU(size, size, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * size, size)
        self.decoder = nn.GRU(size, size, batch_first=True)
        self.key = nn.Linear(2 * size, size, bias=False)
        self.combine = nn.Linear(3 * size, size, bias=False)
        self.output = nn.Linear(size, IDS)

    @classmethod
    def of(cls, network: Translator, size: int) -> "Bare":
        """The same network, with the same weights."""
        places = {
            "source": "encoder.embedding",
            "target": "decoder.embedding",
            "encoder": "encoder.recurrent.layers",
            "bridge": "encoder.bridge.h",
            "decoder": "decoder.recurrent.layers",
            "key": "decoder.attention.key",
            "combine": "decoder.combine",
            "output": "output",
        }
        bare = cls(size)
        for name, place in places.items():
            getattr(bare, name).load_state_dict(network.get_submodule(place).state_dict())
        return bare.eval()

    def step(self, ids: Tensor, state: Tensor, memory: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        outputs, state = self.decoder(self.target(ids).unsqueeze(1), state)
        scores = (outputs @ self.key(memory).transpose(1, 2)).masked_fill(~valid.unsqueeze(1), -torch.inf)
        context = scores.softmax(-1) @ memory
        features = torch.tanh(self.combine(torch.cat([context, outputs], -1)))
        return self.output(features[:, 0]).log_softmax(-1), state

    @torch.inference_mode()
    def search(self, sentences: list[Tensor], size: int) -> Tensor:
        lengths = torch.tensor([len(ids) for ids in sentences])
        padded = nn.utils.rnn.pad_sequence(sentences, batch_first=True, padding_value=1)
        packed = nn.utils.rnn.pack_padded_sequence(self.source(padded), lengths, True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        state = self.bridge(torch.cat([last[0], last[1]], -1)).unsqueeze(0)
        count, rows = len(sentences), torch.arange(len(sentences)).repeat_interleave(size)
        valid = torch.arange(memory.shape[1]) < lengths[rows].unsqueeze(1)
        memory, state = memory[rows], state[:, rows]
        tokens = torch.full((len(rows), 1), BOS)
        scores = torch.full((count, size), -torch.inf)
        scores[:, 0] = 0
        ended = torch.zeros(len(rows), dtype=torch.bool)
        for _ in range(MOST + 1):
            log_probs, state = self.step(tokens[:, -1], state, memory, valid)
            log_probs[ended] = -torch.inf
            log_probs[ended, EOS] = 0
            total = scores.unsqueeze(-1) + log_probs.view(count, size, -1)
            scores, places = total.flatten(1).topk(size)
            rows = (torch.arange(count).unsqueeze(1) * size + places // IDS).flatten()
            chosen = (places % IDS).flatten()
            tokens, state = torch.cat([tokens[rows], chosen.unsqueeze(1)], 1), state[:, rows]
            ended = ended[rows] | (chosen == EOS)
            if ended.all():
                break
        return tokens.view(count, size, -1)[:, 0]


def by_hand(bare: Bare, sentences: list[Tensor], rows: int, size: int) -> float:
    """Seconds, as ``decode`` counts them."""
    started = time.perf_counter()
    for start in range(0, len(sentences), rows):
        bare.search(sentences[start : start + rows], size)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--beam", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    keep_freed_memory()
    print(machine())
    torch.manual_seed(0)
    network = TranslationOptions().build(IDS, IDS).eval()
    bare = Bare.of(network, 256)
    sentences = [torch.randint(4, IDS, (int(size),)) for size in torch.randint(3, 13, (options.sentences,))]
    print(f"{'decoding':<34}{'nn.GRU':>11}{'seqlab':>12}{'ratio':>9}  [lowest .. highest]")
    for size in options.beam:
        for rows in (len(sentences), 1):
            some = sentences if rows > 1 else sentences[:16]
            theirs, ours = partial(by_hand, bare, some, rows, size), partial(decode, network, some, rows, size)
            name = f"beam {size}, {len(some)} sentences, {'at once' if rows > 1 else 'one by one'}"
            print(compare(name, theirs, ours, options.rounds), flush=True)


if __name__ == "__main__":
    main()
