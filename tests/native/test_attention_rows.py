import pytest
import torch
from torch import Tensor

from seqlab.native import attention_rows
from seqlab.native.attention_rows import Table, able, attend_rows
from seqlab.native.compiler import wide

pytestmark = pytest.mark.skipif(wide().library is None, reason=wide().reason or "there is")
ROWS, HEADS, SIZE = 7, 3, 16


@pytest.fixture(autouse=True)
def shared(two_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has two threads share whatever they are given."""
    monkeypatch.setattr(attention_rows, "EACH", 1)


def draws(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def table_of(steps: int) -> Table:
    keys, values = (tuple(draws(5, HEADS, SIZE, seed=n + s) for s in range(steps)) for n in (1, 50))
    return Table(keys, values, torch.randint(5, (ROWS, steps), generator=torch.Generator().manual_seed(2)))


def by_loops(queries: Tensor, table: Table) -> tuple[Tensor, Tensor]:
    mixed, weights = torch.zeros_like(queries), torch.zeros(*queries.shape[:2], len(table.keys))
    for row, places in enumerate(table.places.tolist()):
        seen = [(step, place) for step, place in enumerate(places) if place >= 0]
        for head, query in enumerate(queries[row]):
            scores = torch.stack([query @ table.keys[step][place, head] for step, place in seen]) / SIZE**0.5
            for share, (step, place) in zip(scores.softmax(0), seen, strict=True):
                weights[row, head, step] = share
                mixed[row, head] += share * table.values[step][place, head]
    return mixed, weights


@torch.no_grad()
@pytest.mark.parametrize("steps", [1, 5, 8, 19])
def test_rows_attend_to_what_they_look_up(steps: int) -> None:
    queries, table = draws(ROWS, HEADS, SIZE), table_of(steps)
    mixed, weights = attend_rows(queries, table, True)
    torch.testing.assert_close((mixed, weights), by_loops(queries, table))
    again, none = attend_rows(queries, table)
    assert none is None
    torch.testing.assert_close(again, mixed, rtol=0, atol=0)


@torch.no_grad()
def test_what_is_not_seen_weighs_nothing() -> None:
    queries, table = draws(ROWS, HEADS, SIZE), table_of(6)
    table.places[:4, 2] = -1
    table.places[1, 3:] = -1
    mixed, weights = attend_rows(queries, table, True)
    torch.testing.assert_close((mixed, weights), by_loops(queries, table))
    assert weights is not None
    assert not weights[1, :, 2:].any()


@torch.no_grad()
def test_keys_that_lie_within_other_tensors() -> None:
    together = draws(4, HEADS, 2, 6, SIZE)
    places = torch.arange(ROWS).unsqueeze(1).expand(-1, 6) % 4
    queries = draws(ROWS, 2 * HEADS * SIZE)[:, : HEADS * SIZE].unflatten(1, (HEADS, SIZE))
    table = Table(together[:, :, 0].unbind(2), together[:, :, 1].unbind(2), places)
    assert able(queries, *table.keys, *table.values)
    torch.testing.assert_close(attend_rows(queries, table)[0], by_loops(queries, table)[0])


@torch.no_grad()
@pytest.mark.parametrize("single", [0, 1])
def test_a_step_of_one_place_may_have_any_pitch(single: int) -> None:
    """The first step of a search over one sentence is a part of a wider row."""
    wide = draws(1, 3 * HEADS * SIZE).unflatten(1, (3, HEADS, SIZE))
    keys, values = ([draws(5, HEADS, SIZE, seed=n), draws(5, HEADS, SIZE, seed=n + 1)] for n in (1, 50))
    keys[single], values[single] = wide[:, 1], wide[:, 2]
    assert keys[single].is_contiguous()
    places = torch.arange(ROWS * 2).view(ROWS, 2) % 5
    places[:, single] = 0
    queries, table = draws(ROWS, HEADS, SIZE), Table(keys, values, places)
    torch.testing.assert_close(attend_rows(queries, table)[0], by_loops(queries, table)[0])


def test_what_compiled_code_takes() -> None:
    queries = draws(ROWS, HEADS, SIZE)
    assert not able(queries)  # would need a gradient
    with torch.no_grad():
        assert able(queries)
        assert not able(queries.double())
        assert not able(queries[..., :12])
        assert not able(queries.transpose(1, 2))
        assert not able(queries, queries.double())
