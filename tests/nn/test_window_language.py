import pytest
import torch
from torch import Tensor

from seqlab.nn.window_language import WindowLanguage, WindowLanguageOptions

VOCAB = 11


def network(**options: object) -> WindowLanguage:
    torch.manual_seed(0)
    given = {"window": 3, "hidden_size": 8, "embedding_size": 4, "dropout": 0.0, **options}
    made = WindowLanguageOptions.from_plain(given).build(VOCAB).double()
    torch.nn.init.normal_(made.beginning)
    return made.eval()


def some_ids(batch: int = 3, time: int = 6) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("direct", [False, True])
def test_equations_by_hand(direct: bool) -> None:
    made, ids = network(direct=direct), some_ids()
    logits, _ = made(ids)
    table = torch.cat([made.embedding.weight, made.beginning])
    for t in range(6):
        window = [VOCAB if k < 0 else int(ids[0, k]) for k in range(t - 2, t + 1)]
        x = table[window].flatten()
        hidden = torch.tanh(made.hidden.weight @ x + made.hidden.bias)
        read = torch.cat([hidden, x]) if direct else hidden
        expected = made.output.weight @ read + made.output.bias
        torch.testing.assert_close(logits[0, t], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [1, 3, 9])
def test_it_makes_no_difference_how_a_text_comes_in(window: int) -> None:
    made, ids = network(window=window), some_ids()
    state, parts = None, []
    for part in ids.split([1, 3, 2], 1):
        logits, state = made(part, state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), made(ids)[0], rtol=0, atol=1e-12)


def test_what_a_token_costs() -> None:
    assert network().flops() == {"hidden layer": 2 * 3 * 4 * 8, "output layer": 2 * 8 * VOCAB}
