import pytest
import torch
from torch import Tensor, nn

from seqlab.nn.attention import Attention
from seqlab.nn.decoder import Decoder, DecoderState
from seqlab.nn.encoder import Encoded
from seqlab.recurrence.stack import Recurrent

IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])
VALID = torch.tensor([[True, True, True], [True, False, False]])


def encoded() -> Encoded:
    generator = torch.Generator().manual_seed(1)
    memory, state = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((2, 3, 6), (1, 2, 5)))
    return Encoded(memory, VALID, (state,))


def decoder(attention: bool, input_feeding: bool = False) -> Decoder:
    torch.manual_seed(0)
    stack = Recurrent("gru", Decoder.input_size(4, 5, attention, input_feeding), 5)
    looks = Attention("general", 5, 6) if attention else None
    return Decoder(nn.Embedding(9, 4), stack, looks, 6, 0.0, input_feeding).double()


@pytest.mark.parametrize(
    ("attention", "input_feeding", "size"), [(False, False, 9), (True, False, 4), (True, True, 9), (False, True, 9)]
)
def test_what_a_step_reads(attention: bool, input_feeding: bool, size: int) -> None:
    assert Decoder.input_size(4, 5, attention, input_feeding) == size


def test_without_attention_every_step_sees_the_last_output_of_the_encoder() -> None:
    made, read = decoder(attention=False), encoded()
    features, state, weights = made(IDS, made.first_state(read))
    context = read.state[0][-1].unsqueeze(1).expand(2, 3, 5)
    outputs, last = made.recurrent(torch.cat([made.embedding(IDS), context], -1), read.state)
    assert weights is None
    assert torch.equal(features, outputs)
    assert torch.equal(state.recurrent[0], last[0])
    assert torch.equal(state.fed, read.state[0][-1])


def mixed(made: Decoder, outputs: Tensor, weights: Tensor, memory: Tensor) -> Tensor:
    """tanh(W (context, output))."""
    assert made.combine is not None
    return torch.tanh(torch.cat([weights @ memory, outputs], -1) @ made.combine.weight.T)


def test_with_attention_the_output_is_mixed_with_the_context() -> None:
    made, read = decoder(attention=True), encoded()
    features, _, weights = made(IDS, made.first_state(read))
    assert weights is not None
    assert weights[1].tolist() == [[1, 0, 0]] * 3  # nothing else is real
    outputs, _ = made.recurrent(made.embedding(IDS), read.state)
    torch.testing.assert_close(features, mixed(made, outputs, weights, read.memory), rtol=0, atol=1e-12)


def test_input_feeding_hands_a_step_what_the_one_before_showed() -> None:
    made, read = decoder(attention=True, input_feeding=True), encoded()
    features, state, weights = made(IDS, made.first_state(read))
    assert weights is not None
    fed, recurrent = torch.zeros(2, 5).double(), read.state
    for t in range(3):
        outputs, recurrent = made.recurrent(torch.cat([made.embedding(IDS[:, t]), fed], -1).unsqueeze(1), recurrent)
        fed = mixed(made, outputs, weights[:, t : t + 1], read.memory)[:, 0]
        torch.testing.assert_close(features[:, t], fed, rtol=0, atol=1e-12)
    assert torch.equal(state.fed, features[:, 2])


def test_rows_of_some_sentences() -> None:
    """Two rows for each of two sentences; those of the second go on, in the other order."""
    recurrent, memory = torch.arange(4.0).view(1, 4, 1), torch.tensor([[[7.0]], [[8.0]]])
    state = DecoderState((recurrent,), recurrent[0], memory, memory, torch.tensor([[True], [False]]))
    some = state.rows(torch.tensor([3, 2]), torch.tensor([1]))
    assert some.recurrent[0].flatten().tolist() == some.fed.flatten().tolist() == [3, 2]
    assert (some.keys.item(), some.values.item(), some.valid.item()) == (8, 8, False)
    assert state.rows(torch.tensor([0, 0, 2, 2]), torch.tensor([0, 1])).keys is memory
