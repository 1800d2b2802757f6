"""Generating text, against a bare loop over ``nn.GRU`` and against our own ONNX export under onnxruntime.

    python experiments/speed/generation.py [--hidden 256] [--tokens 300] [--samples 1 32] [--rounds 7]
                                            [--device cpu|cuda]

A character model of 28 ids, one GRU layer, an embedding of 64, temperature 0.8. The bare loops draw from the softmax
(``torch.multinomial``; numpy) and keep ids; ours draws by the seed of each row and gives texts. Ratios are theirs over
ours, so that above 1 is in our favour. onnxruntime runs on a CPU alone, with as many threads as torch has.
"""

import argparse
from collections.abc import Callable
from typing import Any

from pairing import compare, machine, now
from seqlab.models.language import LanguageModel
from seqlab.nn.language_network import LanguageOptions
from seqlab.text.codec import Codec

import numpy as np
import torch
from torch import nn

TEMPERATURE, EMBEDDING, FIRST = 0.8, 64, 2


class Bare(nn.Module):
    """As one would write it by hand."""

    def __init__(self, ids: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(ids, EMBEDDING)
        self.layer = nn.GRU(EMBEDDING, hidden, batch_first=True)
        self.output = nn.Linear(hidden, ids)

    @torch.inference_mode()
    def write(self, samples: int, tokens: int, device: str) -> list[list[int]]:
        ids, state, drawn = torch.full((samples, 1), FIRST, device=device), None, []
        for _ in range(tokens):
            outputs, state = self.layer(self.embedding(ids), state)
            ids = torch.multinomial((self.output(outputs[:, -1]) / TEMPERATURE).softmax(-1), 1)
            drawn.append(ids)
        rows: list[list[int]] = torch.cat(drawn, 1).tolist()
        return rows


class Exported:
    """The step that ``export --format onnx`` writes."""

    def __init__(self, model: LanguageModel) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(model.export(format="onnx"), options)
        self.first, *states = self.session.get_inputs()
        self.states = [(each.name, each.shape) for each in states]

    def write(self, samples: int, tokens: int) -> Any:
        draw, ids, drawn = np.random.default_rng(0), np.full((samples, 1), FIRST), []
        state = [
            np.zeros([size if isinstance(size, int) else samples for size in shape], np.float32)
            for _, shape in self.states
        ]
        for _ in range(tokens):
            given = dict(zip([name for name, _ in self.states], state, strict=True))
            logits, *state = self.session.run(None, {self.first.name: ids, **given})
            scores = logits[:, -1] / TEMPERATURE
            shares = np.exp(scores - scores.max(-1, keepdims=True)).cumsum(-1)
            ids = (shares < draw.random((samples, 1)) * shares[:, -1:]).sum(-1, keepdims=True)
            drawn.append(ids)
        return np.concatenate(drawn, 1)


def timed(write: Callable[[], object], tokens: int, device: str) -> Callable[[], float]:
    """Seconds a token."""

    def run() -> float:
        started = now(device)
        write()
        return (now(device) - started) / tokens

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--samples", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    tokens, device = options.tokens, options.device
    print(machine(device))
    print(f"{'a token of':<34}{'other':>11}{'ours':>12}{'ratio':>9}  [lowest .. highest]")
    torch.manual_seed(0)
    codec = Codec.build(lambda: iter(["abcdefghijklmnopqrstuvwxyz "]))
    network = LanguageOptions(hidden_size=options.hidden, embedding_size=EMBEDDING, dropout=0.0)
    model = LanguageModel(network, {"text": codec}).eval()
    bare = Bare(codec.vocab_size, options.hidden).eval()
    exported = Exported(model) if device == "cpu" else None
    model.to(device), bare.to(device)
    for samples in options.samples:
        ours = timed(lambda s=samples: model.generate("a", num_tokens=tokens, num_samples=s), tokens, device)
        loop = timed(lambda s=samples: bare.write(s, tokens, device), tokens, device)
        print(compare(f"{samples} samples, nn.GRU", loop, ours, options.rounds), flush=True)
        if exported is not None:
            session = timed(lambda s=samples: exported.write(s, tokens), tokens, device)
            print(compare(f"{samples} samples, onnxruntime", session, ours, options.rounds), flush=True)


if __name__ == "__main__":
    main()
