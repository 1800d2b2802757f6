import pytest
import torch

from seqlab.nn.image_reader import Seen
from seqlab.nn.image_recurrence import ImageRecurrenceOptions

PIXELS = torch.randint(256, (3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("view", "steps", "size"), [("rows", 4, 5), ("pixels", 20, 1), ("auto", 4, 5)])
def test_a_row_or_a_pixel_is_a_step(view: str, steps: int, size: int) -> None:
    network = ImageRecurrenceOptions(hidden_size=6).build(Seen(4, 5, view), 2)
    read = network.reader(PIXELS)
    assert read.shape == (3, steps, size)
    outputs, _ = network.recurrent(read)
    assert torch.allclose(network(PIXELS), network.output(outputs[:, -1]), atol=1e-6)


def test_backends_agree() -> None:
    found = []
    for backend in ("torch", "scan", "reference"):
        torch.manual_seed(0)
        network = ImageRecurrenceOptions(cell="lstm", hidden_size=6, bidirectional=True, backend=backend).build(
            Seen(4, 5), 2
        )
        found.append(network.double()(PIXELS))
    assert torch.allclose(found[0], found[1], atol=1e-6)
    assert torch.allclose(found[0], found[2], atol=1e-6)
