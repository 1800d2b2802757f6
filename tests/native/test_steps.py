from typing import Any

import pytest
import torch
from torch import Tensor

from seqlab.native import steps
from seqlab.native.compiler import portable
from seqlab.native.draws import Limits, draw
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.one_step import OneStep

pytestmark = pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
VOCAB = 37


def compiled_step(**options: Any) -> OneStep:
    torch.manual_seed(0)
    given = {"hidden_size": 20, "init": "uniform", "init_range": 0.3, **options}
    made = OneStep(LanguageOptions(**given).build(VOCAB).eval())
    assert made.compiled is not None
    return made


def run(step: OneStep, ids: Tensor) -> Tensor:
    """Logits after all ids ``(batch, time)`` but the first two, which are read at once."""
    with torch.inference_mode():
        logits, state = step(ids[:, :2], None)
        parts = [logits[:, -1:]]
        for column in ids[:, 2:].split(1, 1):
            logits, state = step(column, state)
            parts.append(logits)
        return torch.cat(parts, 1)


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn", "rnn_relu"])
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"num_layers": 3}, {"hidden_size": [33, 5]}, {"hidden_size": 16}, {"embedding_size": None}),
        *({"learned_state": True}, {"tied": True, "embedding_size": 20}),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [1, 15])
def test_logits_are_those_of_the_network(
    cell: str, options: dict[str, Any], batch: int, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "EACH", 1)
    step, ids = compiled_step(cell=cell, **options), torch.randint(VOCAB, (batch, 9))
    found, exact = run(step, ids), step.network.double()
    torch.testing.assert_close(found, exact(ids)[0][:, 1:].float(), rtol=1e-5, atol=1e-5)


def test_a_row_does_not_depend_on_the_others() -> None:
    step, ids = compiled_step(num_layers=2), torch.randint(VOCAB, (8, 6))
    together = run(step, ids)
    for row in range(8):
        torch.testing.assert_close(run(step, ids[row : row + 1]), together[row : row + 1], rtol=0, atol=1e-6)


def test_gates_far_from_zero_are_saturated() -> None:
    step = compiled_step(cell="lstm", init_range=900.0)
    assert run(step, torch.randint(VOCAB, (3, 5))).isfinite().all()


def test_a_state_is_not_changed() -> None:
    step, ids = compiled_step(), torch.randint(VOCAB, (2, 1))
    _, state = step(ids, None)
    before = state.clone()
    first, _ = step(ids, state)
    assert step(ids, state)[0].equal(first)
    assert before.equal(state)


def test_which_networks_it_runs() -> None:
    table = torch.ones(3, 4)
    assert steps.able("gru", table)
    assert not steps.able("mgu", table)
    assert not steps.able("gru", table.double())
    assert not steps.able("gru", table.to("meta"))


@pytest.mark.parametrize("tokens", [1, 4, 5])
@torch.inference_mode()
def test_drawing_ahead_is_drawing_and_stepping_in_turn(tokens: int) -> None:
    step, limits = compiled_step(num_layers=2), Limits([1.0, 0.5, 2.0], banned=(0,), top_k=9)
    logits, state = step(torch.randint(VOCAB, (3, 2)), None)
    uniform = torch.rand(tokens, 3, dtype=torch.float64)
    assert step.compiled is not None
    found, last, after = step.compiled.drawn(logits[:, -1], state, uniform, limits)
    assert len(found) == tokens
    for shares, ids in zip(uniform, found, strict=True):
        chosen = draw(logits[:, -1], shares, limits)
        assert chosen is not None
        assert chosen.equal(ids)
        logits, state = step(ids.unsqueeze(1), state)
    assert last.equal(logits[:, -1])
    assert after.equal(state)


@torch.inference_mode()
def test_drawing_ahead_ends_where_no_token_is_possible() -> None:
    step = compiled_step()
    _, state = step(torch.randint(VOCAB, (2, 2)), None)
    assert step.compiled is not None
    nothing = torch.full((2, VOCAB), float("nan"))
    uniform = torch.rand(3, 2, dtype=torch.float64)
    found, _, after = step.compiled.drawn(nothing, state, uniform, Limits([1.0, 1.0]))
    assert len(found) == 0
    assert after.equal(state)
