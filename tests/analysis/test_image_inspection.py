from pathlib import Path

import torch
import torch.nn.functional as F

from seqlab.analysis.image_inspection import gradient_by_step, inspect_images
from seqlab.nn.image_mlp import ImageLinearOptions
from seqlab.nn.image_reader import Seen
from seqlab.nn.image_recurrence import ImageRecurrenceOptions

PIXELS = torch.randint(256, (6, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


def test_the_gradient_by_step_is_that_of_autograd() -> None:
    torch.manual_seed(0)
    network = ImageRecurrenceOptions(cell="rnn", hidden_size=3, backend="reference").build(Seen(4, 5), 3)
    norms = gradient_by_step(network, PIXELS, LABELS)
    assert norms is not None
    assert norms.shape == (1, 5)
    (weights,) = network.recurrent.each_layer()
    steps = network.reader(PIXELS)
    state, states = torch.zeros(6, 3, requires_grad=True), []
    for step in steps.unbind(1):
        states.append(state)
        state = torch.tanh(
            step @ weights["weight_ih"].T + weights["bias_ih"] + state @ weights["weight_hh"].T + weights["bias_hh"]
        )
    states.append(state)
    loss = F.cross_entropy(network.output(state), LABELS, reduction="sum")
    expected = [gradient.norm(dim=1).mean() for gradient in torch.autograd.grad(loss, states)]
    assert torch.allclose(norms[0], torch.stack(expected).flip(0), atol=1e-6)


def test_two_directions_have_no_last_step() -> None:
    network = ImageRecurrenceOptions(hidden_size=3, bidirectional=True).build(Seen(4, 5), 3)
    assert gradient_by_step(network, PIXELS, LABELS) is None


def test_the_pixels_of_a_linear_model_count_by_their_weights(tmp_path: Path) -> None:
    network = ImageLinearOptions().build(Seen(4, 5), 3)
    torch.nn.init.normal_(network.output.weight)
    found = inspect_images(network, PIXELS, LABELS, ["a", "b", "c"], "run", "linear")
    weights = network.output.weight - network.output.weight.mean(0)
    expected = (weights * PIXELS[:3].flatten(1) / 255).view(3, 4, 5)
    assert torch.allclose(found.pixels, expected, atol=1e-5)
    assert found.gradients is None
    (path,) = type(found).draw([found], tmp_path)
    assert path.name == "run-pixels.png"
    assert path.stat().st_size > 1000


def test_recurrences_share_a_figure(tmp_path: Path) -> None:
    made = [ImageRecurrenceOptions(cell=cell, hidden_size=3).build(Seen(4, 5), 3) for cell in ("rnn", "lstm")]
    found = [inspect_images(one, PIXELS, LABELS, ["a", "b", "c"], f"run{k}", "") for k, one in enumerate(made)]
    names = [path.name for path in type(found[0]).draw(found, tmp_path)]
    assert names == ["run0-pixels.png", "run1-pixels.png", "gradient_flow.png"]
    assert "gradient of the loss by steps before the last" in str(found[0])
