import torch

from seqlab.nn.image_mlp import ImageLinearOptions, ImageMLPOptions
from seqlab.nn.image_reader import Seen

SEEN = Seen(3, 4, mean=0.1, deviation=0.5)
PIXELS = torch.randint(256, (5, 3, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_softmax_regression_is_one_linear_layer_from_zero() -> None:
    network = ImageLinearOptions().build(SEEN, 2)
    assert sum(weights.numel() for weights in network.parameters()) == 12 * 2 + 2
    assert not network(PIXELS).any()


def test_hidden_layers_have_their_sizes() -> None:
    network = ImageMLPOptions(hidden_size=[7, 5]).build(SEEN, 2).eval()
    assert sum(weights.numel() for weights in network.parameters()) == (12 * 7 + 7) + (7 * 5 + 5) + (5 * 2 + 2)
    read = (PIXELS.flatten(1) / 255 - 0.1) / 0.5
    first, _, _, second, _, _ = network.hidden
    assert torch.allclose(network(PIXELS), network.output(second(first(read).relu()).relu()), atol=1e-6)
    assert ImageMLPOptions(hidden_size=6, num_layers=3).build(SEEN, 2).hidden[6].in_features == 6
