import torch

from seqlab.nn.kept import Kept, Steps


def drawn(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 2, 8, generator=torch.Generator().manual_seed(seed))


def test_steps_are_what_is_kept_side_by_side() -> None:
    """Rows are taken again and again, as a search takes them, and in the end every row has its own history."""
    steps, kept = Steps.none(2, torch.device("cpu")), Kept(torch.empty(2, 2, 0, 8), torch.empty(2, 2, 0, 8))
    for number, index in enumerate(([0, 0, 1, 1], [3, 1, 1, 2], [0, 1])):
        rows = torch.tensor(index)
        steps, kept = steps.rows(rows), kept.rows(rows)
        keys, values = drawn(len(rows), number), drawn(len(rows), 10 + number)
        steps = steps.after(keys, values)
        kept = Kept(torch.cat([kept.keys, keys.unsqueeze(2)], 2), torch.cat([kept.values, values.unsqueeze(2)], 2))
        assert steps.positions == kept.positions == number + 1
        torch.testing.assert_close([*steps.kept()], [*kept], rtol=0, atol=0)
    assert steps.places.tolist() == [[3, 0, 0], [1, 1, 1]]
