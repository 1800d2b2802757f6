import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.decoding.sampling import Sampling, sample
from seqlab.errors import UserError
from seqlab.native import draws
from seqlab.native.compiler import portable
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions

PROBABILITIES = [0.1, 0.4, 0.05, 0.3, 0.15]
LOGITS = torch.tensor([PROBABILITIES]).log()


@pytest.fixture(autouse=True, params=["compiled", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws are the same in compiled code and without it."""
    if request.param == "plain":
        monkeypatch.setattr(draws, "able", lambda logits: False)
    elif portable().library is None:
        pytest.skip(portable().reason)


def support(sampling: Sampling, logits: Tensor = LOGITS) -> dict[int, float]:
    """Id -> probability, of those that may be drawn."""
    probabilities = enumerate(sampling.probabilities(logits)[0].tolist())
    return {token: round(probability, 6) for token, probability in probabilities if probability > 0}


def draw(step: Any, prefix: Tensor, num_tokens: int, sampling: Sampling, seeds: Sequence[int]) -> Tensor:
    return torch.stack(list(sample(step, prefix, num_tokens, sampling, seeds)), dim=1)  # (batch, num_tokens)


def always(logits: Tensor) -> Any:
    """A model that predicts the same at every step."""
    return lambda ids, state: (logits.expand(ids.shape[0], ids.shape[1], -1), state)


@pytest.fixture
def network() -> LanguageNetwork:
    torch.manual_seed(4)
    made = LanguageOptions(cell="rnn", hidden_size=8, embedding_size=None, num_layers=2).build(11).double().eval()
    for parameter in made.parameters():
        parameter.data *= 3  # so that predictions differ
    return made


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), {1: 0.4, 3: 0.3, 4: 0.15, 0: 0.1, 2: 0.05}),
        (Sampling(top_k=3), {1: 0.470588, 3: 0.352941, 4: 0.176471}),
        (Sampling(top_k=1), {1: 1.0}),
        (Sampling(top_k=99), {1: 0.4, 3: 0.3, 4: 0.15, 0: 0.1, 2: 0.05}),
        (Sampling(top_p=0.39), {1: 1.0}),
        (Sampling(top_p=0.41), {1: 0.571429, 3: 0.428571}),
        (Sampling(top_p=0.69), {1: 0.571429, 3: 0.428571}),
        (Sampling(top_p=0.71), {1: 0.470588, 3: 0.352941, 4: 0.176471}),
        (Sampling(top_p=1.0), {1: 0.4, 3: 0.3, 4: 0.15, 0: 0.1, 2: 0.05}),
        (Sampling(top_p=1e-9), {1: 1.0}),
        (Sampling(top_k=3, top_p=0.8), {1: 0.571429, 3: 0.428571}),
        (Sampling(banned=(1,)), {3: 0.5, 4: 0.25, 0: 0.166667, 2: 0.083333}),
        (Sampling(banned=(1, 3), top_k=2), {4: 0.6, 0: 0.4}),
        (Sampling(temperature=0.5), {1: 0.561404, 3: 0.315789, 4: 0.078947, 0: 0.035088, 2: 0.008772}),
        (Sampling(temperature=1e9), {1: 0.2, 3: 0.2, 4: 0.2, 0: 0.2, 2: 0.2}),
        (Sampling(temperature=1e-310), {1: 1.0}),
    ],
    ids=str,
)
def test_support_literal(sampling: Sampling, expected: dict[int, float]) -> None:
    assert support(sampling) == pytest.approx(expected, abs=2e-6)


def test_a_denormal_temperature_is_one_where_such_numbers_are_flushed() -> None:
    try:
        torch.set_flush_denormal(True)
        assert support(Sampling(temperature=1e-310)) == {1: 1.0}
        assert Sampling(temperature=[1e-310]).choose(LOGITS, torch.tensor([0.99], dtype=torch.float64)).tolist() == [1]
    finally:
        torch.set_flush_denormal(False)


def test_probabilities_are_float64_and_sum_to_one() -> None:
    probabilities = Sampling(0.7, top_k=4, top_p=0.9).probabilities(torch.randn(6, 50, dtype=torch.bfloat16))
    assert probabilities.dtype == torch.float64
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(6, dtype=torch.float64), rtol=0, atol=1e-12)


def test_far_apart_logits_stay_finite() -> None:
    assert support(Sampling(), torch.tensor([[0.0, 800.0, -800.0]])) == {1: 1.0}


@pytest.mark.parametrize(
    ("uniform", "expected"),
    [(0.0, 0), (0.09, 0), (0.11, 1), (0.49, 1), (0.51, 2), (0.56, 3), (0.84, 3), (0.86, 4), (1 - 2**-53, 4)],
)
def test_choose_inverts_the_cumulative_distribution(uniform: float, expected: int) -> None:
    assert Sampling().choose(LOGITS, torch.tensor([uniform], dtype=torch.float64)).tolist() == [expected]


def test_rounding_never_draws_what_is_cut_off() -> None:
    end = torch.full((200,), 1 - 2**-53, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 30, generator=generator)
    for sampling in (Sampling(top_k=7), Sampling(top_p=0.6), Sampling(banned=(3, 4))):
        chosen = sampling.choose(logits, end)
        assert (sampling.probabilities(logits).gather(-1, chosen.unsqueeze(-1)) > 0).all()


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(top_k=1), Sampling(top_p=1e-9)], ids=str)
def test_greedy(sampling: Sampling, network: LanguageNetwork) -> None:
    prefix = torch.tensor([[3, 5]])
    ids = prefix
    for _ in range(12):  # the whole text anew for each token, by argmax
        ids = torch.cat([ids, network(ids)[0][:, -1].argmax(-1, keepdim=True)], dim=1)
    assert draw(network, prefix, 12, sampling, [0]).tolist() == ids[:, 2:].tolist()
    assert len(set(ids[0].tolist())) > 2


def test_greedy_takes_the_first_of_equals_and_never_a_banned_one() -> None:
    logits = torch.tensor([[1.0, 2.0, 2.0, 0.0]])
    uniform = torch.zeros(1, dtype=torch.float64)
    assert Sampling(temperature=0).choose(logits, uniform).tolist() == [1]
    assert Sampling(temperature=0, banned=(1,)).choose(logits, uniform).tolist() == [2]
    assert Sampling(temperature=0, banned=(1, 2)).choose(logits, uniform).tolist() == [0]
    assert logits.tolist() == [[1.0, 2.0, 2.0, 0.0]]


@pytest.mark.parametrize("options", [{}, {"top_k": 4}, {"top_p": 0.7}, {"temperature": 2.0}], ids=str)
def test_banned_is_never_drawn(options: dict[str, Any]) -> None:
    drawn = draw(always(LOGITS), torch.tensor([[0]]), 2000, Sampling(**options, banned=(1, 4)), [0])
    assert set(drawn.flatten().tolist()) <= {0, 2, 3}
    assert len(drawn.unique()) > 1


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_approach_probabilities(temperature: float) -> None:
    draws = 8_000
    drawn = draw(always(LOGITS), torch.tensor([[0]]), draws, Sampling(temperature), [1]).flatten()
    weights = torch.tensor(PROBABILITIES, dtype=torch.float64) ** (1 / temperature)
    expected = draws * weights / weights.sum()
    chi_square = float(((drawn.bincount(minlength=5) - expected) ** 2 / expected).sum())
    assert chi_square < 18.47  # one in a thousand, for 4 degrees of freedom


def test_draws_are_independent() -> None:
    drawn = draw(always(torch.zeros(1, 2)), torch.tensor([[0]]), 4000, Sampling(), [2]).flatten()
    same = (drawn[1:] == drawn[:-1]).double().mean()
    assert float(same) == pytest.approx(0.5, abs=0.03)


def test_a_row_depends_on_its_seed_alone(network: LanguageNetwork) -> None:
    seeds = [7, 1, 7, 3, 12]
    prefix = torch.tensor([[4, 2]])
    together = draw(network, prefix.expand(5, -1), 30, Sampling(banned=(0,)), seeds)
    for row, seed in enumerate(seeds):
        alone = draw(network, prefix, 30, Sampling(banned=(0,)), [seed])
        assert torch.equal(together[row], alone[0])
    assert torch.equal(together[0], together[2])
    assert len({tuple(row) for row in together.tolist()}) == 4


def test_a_row_depends_on_its_own_prefix_alone(network: LanguageNetwork) -> None:
    prefixes = torch.tensor([[4, 2], [5, 5], [9, 1]])
    together = draw(network, prefixes, 30, Sampling(), [1, 1, 1])
    for row in range(3):
        assert torch.equal(together[row], draw(network, prefixes[row : row + 1], 30, Sampling(), [1])[0])


def test_the_global_seed_neither_matters_nor_moves(network: LanguageNetwork) -> None:
    prefix = torch.tensor([[1]])
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = draw(network, prefix, 10, Sampling(), [5])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(draw(network, prefix, 10, Sampling(), [5]), first)


def test_more_tokens_begin_like_fewer(network: LanguageNetwork) -> None:
    prefix = torch.tensor([[1, 2, 3]])
    long, short = (draw(network, prefix, num_tokens, Sampling(), [5]) for num_tokens in (20, 7))
    assert torch.equal(long[:, :7], short)


def test_the_prefix_is_read_once_and_then_one_token_at_a_time() -> None:
    asked: list[tuple[list[list[int]], int | None]] = []

    def count(ids: Tensor, state: int | None) -> tuple[Tensor, int]:
        asked.append((ids.tolist(), state))
        logits = torch.full((1, ids.shape[1], 9), -50.0)
        logits[0, -1, (int(ids[0, -1]) + 1) % 9] = 50.0
        return logits, (state or 0) + 1

    assert draw(count, torch.tensor([[2, 5]]), 4, Sampling(), [0]).tolist() == [[6, 7, 8, 0]]
    assert asked == [([[2, 5]], None), ([[6]], 1), ([[7]], 2), ([[8]], 3)]


def test_no_gradients(network: LanguageNetwork) -> None:
    seen: list[Tensor] = []
    network.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs[0]))
    list(sample(network, torch.tensor([[1]]), 2, Sampling(), [0]))
    assert [logits.requires_grad for logits in seen] == [False, False]
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *(
            (
                {"temperature": value},
                f"temperature {value} must be finite and at least 0 (0 takes the most likely token)",
            )
            for value in (-0.1, math.nan, math.inf)
        ),
        ({"top_k": 0}, "top_k 0 must be a whole number of at least 1, or left out"),
        *(
            ({"top_p": value}, f"top_p {value} must be above 0 and at most 1, or left out")
            for value in (0.0, 1.1, math.nan)
        ),
    ],
    ids=str,
)
def test_wrong_options(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(words)}$"):
        Sampling(**wrong)


def test_a_temperature_for_each_row() -> None:
    logits = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    together = Sampling(temperature=(0.3, 1.0, 2.0)).probabilities(logits)
    for row, temperature in enumerate((0.3, 1.0, 2.0)):
        alone = Sampling(temperature=temperature).probabilities(logits[row : row + 1])
        assert torch.equal(together[row], alone[0])


@pytest.mark.parametrize("temperatures", [(0.5, -1.0), (0.5, float("nan")), (0.0, 1.0)])
def test_temperatures_that_cannot_be(temperatures: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="temperature"):
        Sampling(temperature=temperatures)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_nothing_can_be_drawn_from_what_is_no_number(temperature: float) -> None:
    broken = torch.tensor([[0.0, 1.0], [0.0, math.nan]])
    with pytest.raises(
        UserError, match=r"^the model gives no numbers here \(NaN\); use a checkpoint from before it diverged$"
    ):
        Sampling(temperature).choose(broken, torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize(
    "options", [{"top_k": 5}, {"top_p": 0.6}, {"top_k": 40, "top_p": 0.9, "temperature": [0.5, 1.0, 2.0, 0.1] * 16}]
)
def test_of_equals_those_of_lower_ids_are_kept(options: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(64, 300, generator=generator).round(decimals=1)
    sampling = Sampling(**options, banned=(7, 11))
    uncut = Sampling(temperature=sampling.temperature, banned=(7, 11)).probabilities(logits)
    found, expected = sampling.probabilities(logits), torch.zeros_like(uncut)
    order = logits.index_fill(1, torch.tensor([7, 11]), -math.inf).sort(dim=-1, descending=True, stable=True).indices
    for row, ids in enumerate(order):
        share, ids = 0.0, ids[: sampling.top_k]
        for token in ids.tolist():
            if share >= (sampling.top_p or 1) * uncut[row, ids].sum():
                break
            share += float(uncut[row, token])
            expected[row, token] = uncut[row, token]
    torch.testing.assert_close(found, expected / expected.sum(-1, keepdim=True), rtol=0, atol=1e-12)
