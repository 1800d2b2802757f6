"""Target tokens per second of training an encoder-decoder, and sentences per second of decoding with it.

    python experiments/speed/translation.py [--steps 8] [--rounds 7] [--sentences 1000] [--decodings 3]

Training: batches of 64 pairs, 10 source and 11 target tokens, bidirectional GRU 256, general attention, 6,000 ids on
either side; forward, backward, clipping, Adam; fp32 beside bf16-mixed. Decoding: a beam of 5 over sentences of 3 to 12
tokens in batches of 256 beside one sentence at a time, and beside a Transformer of three layers of 256 on either side.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

from pairing import compare, machine
from seqlab.decoding.beam import Beam, beam_search
from seqlab.nn.transformer_translation import TransformerTranslationOptions
from seqlab.nn.translation_network import TranslationOptions
from seqlab.nn.translator import Translator
from seqlab.runs.allocator import keep_freed_memory

import torch
from torch import nn

IDS, BATCH, TOGETHER, SOURCE, TARGET, BOS, EOS, MOST = 6000, 64, 256, 10, 11, 2, 3, 12


def training(low: bool, steps: int) -> Callable[[], float]:
    torch.manual_seed(0)
    network = TranslationOptions().build(IDS, IDS)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    source, inputs, targets = (torch.randint(4, IDS, (BATCH, size)) for size in (SOURCE, TARGET, TARGET))
    lengths, valid = torch.full((BATCH,), SOURCE), torch.ones(BATCH, TARGET, dtype=torch.bool)

    def run() -> float:
        started = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=low):
                loss = network.nats(source, lengths, inputs, targets, valid) / targets.numel()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        return (time.perf_counter() - started) / steps

    return run


@torch.inference_mode()
def decode(network: Translator, sentences: list[torch.Tensor], rows: int, size: int = 5) -> float:
    started = time.perf_counter()
    for start in range(0, len(sentences), rows):
        part = sentences[start : start + rows]
        lengths = torch.tensor([len(ids) for ids in part])
        state = network.encode(nn.utils.rnn.pad_sequence(part, batch_first=True, padding_value=1), lengths)
        beam_search(network.step, state, len(part), BOS, EOS, Beam(size, 1.0, min_length=3, max_length=MOST))
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--decodings", type=int, default=3)
    options = parser.parse_args()
    keep_freed_memory()
    print(machine())
    precise, low = training(False, options.steps), training(True, options.steps)
    print(f"{'a step of':<34}{'fp32':>11}{'bf16':>12}{'ratio':>9}  [lowest .. highest]")
    row = compare(f"{BATCH} pairs, GRU 256", precise, low, options.rounds)
    print(row, f" {BATCH * TARGET / precise():,.0f} and {BATCH * TARGET / low():,.0f} target tokens/s")
    torch.manual_seed(0)
    network = TranslationOptions().build(IDS, IDS).eval()
    sizes = torch.randint(3, 13, (options.sentences,)).sort().values.tolist()
    sentences = [torch.randint(4, IDS, (size,)) for size in sizes]
    alone, together = (partial(decode, network, sentences, rows) for rows in (1, TOGETHER))
    print(f"{'a beam of 5 over':<34}{'one by one':>11}{'batches':>12}{'ratio':>9}  [lowest .. highest]")
    print(compare(f"{options.sentences:,} sentences", alone, together, options.decodings))
    attending = TransformerTranslationOptions().build(IDS, IDS).eval()
    print(f"{'a beam of 5 over':<34}{'Transformer':>11}{'GRU':>12}{'ratio':>9}  [lowest .. highest]")
    other = partial(decode, attending, sentences, TOGETHER)
    print(compare(f"{options.sentences:,} sentences", other, together, options.decodings))


if __name__ == "__main__":
    main()
