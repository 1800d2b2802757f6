import pytest
import torch
import torch.nn.functional as F

from seqlab.nn.image_cnn import ImageCNNOptions, ResidualBlock, ResNetOptions
from seqlab.nn.image_reader import Seen


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (5, 3), (1, 7), (1, 1)])
@pytest.mark.parametrize("options", [ImageCNNOptions(), ResNetOptions(blocks=2)], ids=["cnn", "resnet"])
def test_images_of_any_shape_have_logits(options: ImageCNNOptions | ResNetOptions, shape: tuple[int, int]) -> None:
    network = options.build(Seen(*shape), 3)
    pixels = torch.randint(256, (4, *shape), dtype=torch.uint8)
    network(pixels).sum().backward()
    assert network.eval()(pixels).shape == (4, 3)
    assert all(weights.grad is not None for weights in network.parameters())


def test_a_digit_may_lie_a_little_aside() -> None:
    """The mean over an image: moved by the stride of the blocks it has the same logits, but for its border."""
    torch.manual_seed(0)
    network = ResNetOptions(channels=[4], dropout=0.0).build(Seen(20, 20), 3).eval()
    image = torch.zeros(1, 20, 20, dtype=torch.uint8)
    image[0, 8:12, 8:12] = 255
    assert torch.allclose(network(image), network(image.roll(2, 2)), atol=1e-5)


def test_a_block_adds_to_what_comes_in() -> None:
    block = ResidualBlock(4, 4, 1).eval()
    images = torch.randn(2, 4, 5, 5)
    torch.nn.init.zeros_(block.second.weight)
    assert torch.allclose(block(images), F.relu(images))
    assert ResidualBlock(4, 6, 2)(images).shape == (2, 6, 3, 3)
