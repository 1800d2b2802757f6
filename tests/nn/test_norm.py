import torch

from seqlab.nn.norm import make_norm


def test_norms_by_hand() -> None:
    vectors = torch.tensor([[0.0, 2.0], [2.0, 8.0]])
    expected = {
        "none": [[0.0, 2.0], [2.0, 8.0]],
        "batch": [[-1.0, -1.0], [1.0, 1.0]],  # each unit over the batch
        "layer": [[-1.0, 1.0], [-1.0, 1.0]],  # each vector over its units
    }
    for kind, values in expected.items():
        torch.testing.assert_close(make_norm(kind, 2)(vectors), torch.tensor(values), rtol=0, atol=1e-4)  # type: ignore[arg-type]


def test_batch_norm_of_one_item_takes_the_running_statistics() -> None:
    norm = make_norm("batch", 2).train()
    norm(torch.tensor([[0.0, 2.0], [2.0, 4.0]]))
    norm.running_mean, norm.running_var = torch.tensor([1.0, 3.0]), torch.tensor([4.0, 1.0])
    torch.testing.assert_close(norm(torch.tensor([[3.0, 3.0]])), torch.tensor([[1.0, 0.0]]), rtol=0, atol=1e-4)
