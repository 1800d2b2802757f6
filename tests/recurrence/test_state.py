from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.ngram import NGramOptions
from seqlab.recurrence.state import RowsOfState, mapped

VOCAB, ROWS = 7, 5


class Rows(RowsOfState):
    rows_axis = 0


class Pair(NamedTuple):
    keys: Tensor
    values: Tensor


def numbers(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def test_the_shape_of_a_state_stays() -> None:
    state = {"layers": (Pair(numbers(2, 3), numbers(2, 1)), numbers(2)), "past": {"ids": torch.tensor([1, 2])}}
    doubled = mapped(state, lambda part: 2 * part)
    assert isinstance(doubled["layers"], tuple)
    assert isinstance(doubled["layers"][0], Pair)
    assert list(doubled) == ["layers", "past"]
    assert torch.equal(doubled["layers"][0].keys, 2 * state["layers"][0].keys)
    assert torch.equal(doubled["past"]["ids"], torch.tensor([2, 4]))
    added = mapped(state, torch.add, doubled)
    assert torch.equal(added["layers"][0].values, 3 * state["layers"][0].values)
    assert torch.equal(added["past"]["ids"], torch.tensor([3, 6]))


def test_states_of_several_shapes_do_not_mix() -> None:
    with pytest.raises(ValueError):
        mapped((numbers(2), numbers(2)), torch.add, (numbers(2),))
    with pytest.raises(KeyError):
        mapped({"h": numbers(2)}, torch.add, {"c": numbers(2)})


def test_detached_from_the_graph_that_made_it() -> None:
    weight = torch.ones(3, requires_grad=True)
    state = {"h": (weight * 2, weight * 3), "steps": torch.tensor([1])}
    free = Rows().detached(state)
    assert not free["h"][0].requires_grad
    assert not free["h"][1].requires_grad
    assert state["h"][0].requires_grad
    assert torch.equal(free["h"][1], torch.full((3,), 3.0))


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.int64, torch.int64),
        (torch.uint8, torch.uint8),
        (torch.bool, torch.bool),
    ],
    ids=str,
)
def test_cast_keeps_what_is_precise_and_what_is_whole(dtype: torch.dtype, kept: torch.dtype) -> None:
    part = torch.tensor([0, 1, 1]).to(dtype)
    (cast,) = Rows().cast((part,))
    assert cast.dtype == kept
    assert cast.tolist() == part.tolist()


def nested(low: int, high: int) -> dict[str, Any]:
    """Rows ``low`` to ``high`` of a state along the first axis."""
    rows = torch.arange(low, high)
    return {"ids": rows, "layers": ({"k": rows.view(-1, 1) + numbers(1, 3)}, rows.double())}


def test_nested_states_are_gathered_and_taken_by_rows() -> None:
    owner = Rows()
    whole = owner.gathered([nested(0, 2), nested(2, 3), nested(3, 5)])
    assert owner.num_rows(whole) == 5
    torch.testing.assert_close(whole, nested(0, 5), rtol=0, atol=0)
    taken = owner.of_rows(whole, torch.tensor([4, 0, 0]))
    assert taken["ids"].tolist() == [4, 0, 0]
    assert torch.equal(taken["layers"][0]["k"], whole["layers"][0]["k"][[4, 0, 0]])
    torch.testing.assert_close(owner.of_rows(whole, torch.arange(1, 3)), nested(1, 3), rtol=0, atol=0)
    assert owner.num_rows(owner.of_rows(whole, torch.tensor([], dtype=torch.int64))) == 0


@pytest.fixture(params=["lstm", "ngram"])
def network(request: pytest.FixtureRequest) -> Any:
    """One that carries layers of rows, and one that carries rows of ids."""
    torch.manual_seed(0)
    if request.param == "ngram":
        made = NGramOptions(order=4).build(VOCAB)
        made.count(some_ids(1, 200)[0])
        return made
    return LanguageOptions(cell="lstm", hidden_size=[6, 4], dropout=0.0).build(VOCAB).double()


def some_ids(batch: int, time: int) -> Tensor:
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(1))


def test_axes_of_rows(network: Any) -> None:
    state = network(some_ids(ROWS, 3))[1]
    assert network.num_rows(state) == ROWS
    assert network.num_rows(network.of_rows(state, torch.tensor([3]))) == 1
    assert network.num_rows(network.gathered([state, state, state])) == 3 * ROWS
    axis = 0 if state[0].dtype == torch.int64 else 1
    assert network.rows_axis == axis
    assert all(part.shape[axis] == ROWS for part in state)


def test_rows_taken_from_a_state_go_on_as_they_would_have(network: Any) -> None:
    before, after, rows = some_ids(ROWS, 6), some_ids(ROWS, 9)[:, 6:], torch.tensor([4, 1, 1])
    state = network(before)[1]
    expected = network(after, state)
    found = network(after[rows], network.of_rows(state, rows))
    torch.testing.assert_close(found[0], expected[0][rows], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1], network.of_rows(expected[1], rows), rtol=0, atol=1e-12)


def test_states_of_two_processes_are_that_of_one(network: Any) -> None:
    ids = some_ids(ROWS, 6)
    parts = [network(rows)[1] for rows in (ids[:2], ids[2:])]
    whole = network(ids)[1]
    torch.testing.assert_close(network.gathered(parts), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(network.gathered([whole]), whole, rtol=0, atol=0)


def test_what_is_detached_and_cast_goes_on_alike(network: Any) -> None:
    ids = some_ids(ROWS, 6)
    state = network(ids)[1]
    kept = network.cast(network.detached(state))
    torch.testing.assert_close(kept, mapped(state, Tensor.detach), rtol=0, atol=0)
    torch.testing.assert_close(network(ids, kept)[0], network(ids, state)[0], rtol=0, atol=0)
