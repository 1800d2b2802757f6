import math

import pytest
import torch

from seqlab.errors import UserError
from seqlab.nn.attention import ATTENTIONS, Attention

BATCH, TIME, POSITIONS, SIZE = 3, 4, 6, 5
LENGTHS = torch.tensor([6, 1, 4])
VALID = torch.arange(POSITIONS) < LENGTHS.unsqueeze(1)


def attention(kind: str, memory_size: int = SIZE) -> Attention:
    torch.manual_seed(0)
    return Attention(kind, SIZE, memory_size).double()


def tensors(memory_size: int = SIZE) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = (BATCH, TIME, SIZE), (BATCH, POSITIONS, memory_size)
    queries, memory = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return queries, memory


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_by_its_formula_one_score_at_a_time(kind: str) -> None:
    size = SIZE if kind == "dot" else 7
    made, (queries, memory) = attention(kind, size), tensors(size)
    context, weights = made(queries, made.keys(memory), memory, VALID)
    for b in range(BATCH):
        for t in range(TIME):
            scores = []
            for place in range(int(LENGTHS[b])):
                q, m = queries[b, t], memory[b, place]
                if kind == "dot":
                    scores.append(float(q @ m))
                elif kind == "general":
                    scores.append(float((q @ (made.key.weight @ m)).detach()))
                else:
                    both = made.query.weight @ q + made.key.weight @ m + made.key.bias
                    scores.append(float((made.energy @ torch.tanh(both)).detach()))
            shares = [math.exp(score) for score in scores]
            expected = torch.tensor(shares, dtype=torch.float64) / sum(shares)
            torch.testing.assert_close(weights[b, t, : len(scores)], expected, rtol=0, atol=1e-12)
            torch.testing.assert_close(context[b, t], expected @ memory[b, : len(scores)], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_weights_are_zero_at_padding_and_sum_to_one(kind: str) -> None:
    made, (queries, memory) = attention(kind), tensors()
    _, weights = made(queries, made.keys(memory), memory, VALID)
    assert not weights.transpose(1, 2)[~VALID].any()
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, TIME).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_what_lies_at_padding_changes_nothing(kind: str) -> None:
    made, (queries, memory) = attention(kind), tensors()
    dirty = torch.where(VALID.unsqueeze(-1), memory, 1e3)
    clean = [made(queries, made.keys(values), values, VALID)[0] for values in (memory, dirty)]
    assert torch.equal(*clean)


def test_literal_weights() -> None:
    made = attention("dot", SIZE)
    memory = torch.zeros(1, 2, SIZE).double()
    memory[0, 1, 0] = math.log(3.0)
    query = torch.zeros(1, 1, SIZE).double()
    query[0, 0, 0] = 1.0
    _, weights = made(query, made.keys(memory), memory, torch.ones(1, 2, dtype=torch.bool))
    assert weights[0, 0].tolist() == pytest.approx([0.25, 0.75], abs=1e-15)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("dott", "^unknown attention 'dott': did you mean 'dot'\\?$"),
        ("dot", r"^attention dot needs queries \(5\) as wide as the memory \(7\); choose general$"),
    ],
)
def test_wrong_options(kind: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Attention(kind, SIZE, 7)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_rows_side_by_side_share_a_memory(kind: str) -> None:
    made, (queries, memory) = attention(kind), tensors()
    keys, rows = made.keys(memory), torch.cat([queries, queries.flip(1)], 1).view(2 * BATCH, TIME, SIZE)
    shared = made(rows, keys, memory, VALID)
    copied = made(rows, *(part.repeat_interleave(2, 0) for part in (keys, memory, VALID)))
    for one, other in zip(shared, copied, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
