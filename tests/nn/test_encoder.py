import torch
from torch import nn

from seqlab.nn.encoder import Encoder
from seqlab.recurrence.stack import Recurrent

IDS, LENGTHS = torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.tensor([3, 2])


def encoder(bidirectional: bool) -> Encoder:
    torch.manual_seed(0)
    return Encoder(nn.Embedding(6, 4), Recurrent("lstm", 4, 5, 2, bidirectional=bidirectional), 0.5).double().eval()


def test_one_direction_hands_its_last_state_over() -> None:
    made = encoder(bidirectional=False)
    encoded = made(IDS, LENGTHS)
    _, last = made.recurrent(made.embedding(IDS), lengths=LENGTHS)
    assert [part.shape for part in encoded.state] == [(2, 2, 5)] * 2
    assert all(torch.equal(own, part) for own, part in zip(encoded.state, last, strict=True))
    assert encoded.valid.tolist() == [[True, True, True], [True, True, False]]
    assert not encoded.memory[1, 2].any()
    assert encoded.memory[0, 2].all()


def test_both_halves_of_a_layer_meet_in_a_bridge() -> None:
    made = encoder(bidirectional=True)
    encoded = made(IDS, LENGTHS)
    _, last = made.recurrent(made.embedding(IDS), lengths=LENGTHS)
    assert encoded.memory.shape == (2, 3, 10)
    for own, part, name in zip(encoded.state, last, "hc", strict=True):
        bridge = made.bridge[name]
        for layer in (0, 1):
            both = torch.cat([part[2 * layer], part[2 * layer + 1]], 1)
            expected = torch.tanh(both @ bridge.weight.T + bridge.bias)
            torch.testing.assert_close(own[layer], expected, rtol=0, atol=1e-12)


def test_dropout_acts_while_training_alone() -> None:
    made = encoder(bidirectional=False)
    kept = made(IDS, LENGTHS).memory
    assert torch.equal(made(IDS, LENGTHS).memory, kept)
    assert not torch.equal(made.train()(IDS, LENGTHS).memory, kept)
