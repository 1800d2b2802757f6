"""Best paths, losses and training steps of a BiLSTM-CRF beside the same net in plain torch.nn and pytorch-crf.

    python experiments/speed/tagging.py [--rounds 9] [--words ud_english_ewt]

The plain net has the same sizes and reads the same batches: embeddings, a convolution over the characters of every word
in its place, ``nn.LSTM`` over packed sentences, a linear layer, ``torchcrf.CRF``, Adam as torch makes it. Both have the
same loss from the same weights, which is checked.
"""

import argparse
import time
from collections.abc import Callable

from pairing import compare, machine
from seqlab.data.loader import Shard
from seqlab.data.tagged import TaggedData
from seqlab.data.tagged_batches import TaggedBatch
from seqlab.data.tagged_corpora import WNUT17, UDEnglishEWT
from seqlab.decoding.viterbi import best_paths
from seqlab.models.tagging import Tagger
from seqlab.nn.crf import Chain, sentence_nats
from seqlab.nn.tagger import TaggerOptions
from seqlab.runs.allocator import keep_freed_memory

import torch
import torchcrf
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

BATCH, TIME, TAGS = 32, 40, 18
STEPS = 10
"""Training steps of a round."""


class Plain(nn.Module):
    """The net as a tutorial would write it."""

    def __init__(self, words: int, characters: int, tags: int, options: TaggerOptions) -> None:
        super().__init__()
        assert isinstance(options.hidden_size, int)
        self.embedding = nn.Embedding(words, options.embedding_size)
        self.characters = nn.Embedding(characters, options.character_size)
        self.convolution = nn.Conv1d(options.character_size, options.character_hidden_size, 3, padding=1)
        size = options.embedding_size + options.character_hidden_size
        self.recurrent = nn.LSTM(size, options.hidden_size, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * options.hidden_size, tags)
        self.crf = torchcrf.CRF(tags, batch_first=True)

    def forward(self, batch: TaggedBatch) -> Tensor:
        spelled = batch.spellings[batch.places]  # (batch, time, characters)
        real = torch.arange(spelled.shape[2]) < batch.spelling_lengths[batch.places].unsqueeze(2)
        channels = (self.characters(spelled) * real.unsqueeze(3)).flatten(0, 1).transpose(1, 2)
        answers = self.convolution(channels).masked_fill(~real.flatten(0, 1).unsqueeze(1), -torch.inf).amax(2)
        vectors = torch.cat([self.embedding(batch.ids), answers.view(*batch.ids.shape, -1)], -1)
        packed = pack_padded_sequence(vectors, batch.lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)
        mask = torch.arange(batch.ids.shape[1]) < batch.lengths.unsqueeze(1)
        loss: Tensor = -self.crf(self.output(outputs), batch.tags.clamp(min=0), mask=mask, reduction="sum")
        return loss / mask.sum()


def take_weights(plain: Plain, ours: Tagger) -> None:
    """Gives the plain net the weights of ours."""
    network = ours.network
    plain.embedding.load_state_dict(network.embedding.state_dict())
    plain.characters.load_state_dict(network.characters.embedding.state_dict())
    plain.convolution.load_state_dict(network.characters.convolutions[0].state_dict())
    plain.recurrent.load_state_dict(network.recurrent.layers.state_dict())
    plain.output.load_state_dict(network.output.state_dict())
    with torch.no_grad():
        chain = plain.crf.transitions, plain.crf.start_transitions, plain.crf.end_transitions
        for one, other in zip(chain, network.crf.chain(), strict=True):
            one.copy_(other)


def timed(work: Callable[[], object], times: int = 1) -> Callable[[], float]:
    """Seconds of one of several runs in a row."""

    def run() -> float:
        started = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - started) / times

    return run


def chains(rounds: int) -> None:
    """Paths and losses of a batch of random scores."""
    torch.manual_seed(0)
    crf, emissions = torchcrf.CRF(TAGS, batch_first=True), torch.randn(BATCH, TIME, TAGS, requires_grad=True)
    chain = Chain(crf.transitions, crf.start_transitions, crf.end_transitions)
    lengths, tags = torch.full((BATCH,), TIME), torch.randint(TAGS, (BATCH, TIME))
    with torch.no_grad():
        assert best_paths(emissions, lengths, chain).tolist() == crf.decode(emissions)
        ours = timed(lambda: best_paths(emissions, lengths, chain), 20)
        print(compare("best paths", ours, timed(lambda: crf.decode(emissions)), rounds), flush=True)

    def theirs() -> None:
        (-crf(emissions, tags)).backward()

    ours = timed(lambda: sentence_nats(emissions, tags, lengths, chain).sum().backward(), 5)
    print(compare("loss and gradient", ours, timed(theirs), rounds), flush=True)


def training(data: TaggedData, rounds: int) -> None:
    """Training steps on the first batches of an epoch."""
    torch.manual_seed(0)
    options = TaggerOptions(
        cell="lstm", hidden_size=100, characters="cnn", casing_size=0, dropout=0.0, word_dropout=0.0, output="crf"
    )
    ours = Tagger(options, data.codecs)
    plain = Plain(*(codec.vocab_size for codec in data.codecs.values()), options)
    take_weights(plain, ours)
    batches, optimizer = data.train_batches(Shard()), ours.configure_optimizers()
    other = torch.optim.Adam(plain.parameters(), lr=0.002)
    given = [batches.batch(0, index) for index in range(STEPS)]

    def our_step(batch: TaggedBatch) -> Tensor:
        total, items, _ = ours.loss(batch, "train")
        optimizer.zero_grad()
        (total / items).backward()
        optimizer.step()
        return total / items

    def plain_step(batch: TaggedBatch) -> Tensor:
        loss: Tensor = plain(batch)
        other.zero_grad()
        loss.backward()
        other.step()
        return loss

    torch.testing.assert_close(our_step(given[0]), plain_step(given[0]), rtol=1e-4, atol=1e-4)
    words = sum(int(batch.lengths.sum()) for batch in given)
    title = f"{STEPS} training steps, {words:,} words"
    own, peer = timed(lambda: [*map(our_step, given)]), timed(lambda: [*map(plain_step, given)])
    print(compare(title, own, peer, rounds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--words", default="ud_english_ewt", choices=["ud_english_ewt", "wnut17"])
    options = parser.parse_args()
    keep_freed_memory()
    print(machine(), f"\n{'':<34}{'seqlab':>11}{'pytorch-crf':>12}{'ratio':>9}")
    chains(options.rounds)
    training(UDEnglishEWT() if options.words == "ud_english_ewt" else WNUT17(), options.rounds)


if __name__ == "__main__":
    main()
