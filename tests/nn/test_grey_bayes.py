import torch

from seqlab.nn.grey_bayes import GreyBayesOptions
from seqlab.nn.image_reader import Seen


def test_logits_are_those_of_counts_by_hand() -> None:
    """Two pixels, two levels: of class 0 the images (dark, light) and (light, light), of class 1 (dark, dark)."""
    network = GreyBayesOptions(levels=2).build(Seen(1, 2), 2)
    pixels = torch.tensor([[[0, 255]], [[200, 128]], [[3, 127]]], dtype=torch.uint8)
    network.count(pixels, torch.tensor([0, 0, 1]))
    likely = torch.tensor([[3 / 5 * 2 / 4 * 1 / 4, 2 / 5 * 2 / 3 * 2 / 3]])  # of (dark, dark), each count one more
    found = network(torch.tensor([[[10, 20]]], dtype=torch.uint8)).softmax(-1)
    assert torch.allclose(found, likely / likely.sum())


def test_counting_again_begins_anew() -> None:
    network = GreyBayesOptions().build(Seen(3, 3), 2)
    pixels, labels = torch.randint(256, (9, 3, 3), dtype=torch.uint8), torch.tensor([0, 1, 0] * 3)
    network.count(pixels, labels)
    once = network(pixels)
    network.count(pixels, labels)
    assert torch.equal(network(pixels), once)
