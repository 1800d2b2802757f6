"""Analysis of an image classifier: the influence of pixels on classes, and gradients through time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqlab.analysis.gradient_flow import gradient_at_steps
from seqlab.nn.evaluating import evaluating
from seqlab.nn.image_recurrence import ImageRecurrence

if TYPE_CHECKING:
    from seqlab.figures import Figure

SHOWN_LAGS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 783)
COLUMNS = 5


@dataclass(frozen=True)
class ImageInspection:
    """Analysis of one image classifier.

    Args:
        name: Name of the run that trained it.
        model: The model, in words.
        classes: Names of the classes.
        images: Grey levels of an image of each class ``(classes, height, width)``.
        pixels: Influence of each pixel on the class: gradient times input, ``(classes, height, width)``.
        gradients: For a recurrence, the norm of the gradient of the loss with respect to the state, by steps before the
            last, ``(layers, steps + 1)``; None for other networks.
    """

    name: str
    model: str
    classes: Sequence[str]
    images: Tensor = field(repr=False)
    pixels: Tensor = field(repr=False)
    gradients: Tensor | None

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.model}"]
        if self.gradients is not None:
            lags = [lag for lag in SHOWN_LAGS if lag < self.gradients.shape[1]]
            lines += ["", "gradient of the loss by steps before the last, relative to the last"]
            lines += [f"{'steps':>12}" + "".join(f"{lag:>10}" for lag in lags)]
            for layer, norms in enumerate(self.gradients):
                shares = (norms[lags] / norms[0].clamp_min(1e-30)).tolist()
                lines.append(f"{f'layer {layer}':>12}" + "".join(f"{share:>10.2g}" for share in shares))
        return "\n".join(lines)

    @staticmethod
    def draw(inspections: "Sequence[ImageInspection]", folder: Path) -> list[Path]:
        """Draws the influence of pixels for each model, and the gradients by step of all recurrences in one figure.

        Raises:
            UserError: A file cannot be written.
        """
        from seqlab.analysis.pictures import draw_gradient_flow
        from seqlab.figures import save_figures

        figures = {f"{one.name}-pixels.png": one.figure() for one in inspections}
        curves: dict[str, Tensor] = {}
        for one in inspections:
            layers = [] if one.gradients is None else [*one.gradients]
            curves |= {one.name if len(layers) == 1 else f"{one.name}, layer {k}": row for k, row in enumerate(layers)}
        if curves:
            figures["gradient_flow.png"] = draw_gradient_flow(curves)
        return save_figures(figures, folder)

    def figure(self) -> "Figure":
        """An image of each class, with pixels for the class in red and pixels against it in blue."""
        from seqlab.figures import new_grid

        title = f"{self.name}: pixels for the class (red) and against it (blue)"
        figure, panels = new_grid(len(self.classes), COLUMNS, 1.5, title)
        for axes, label, image, pixels in zip(panels, self.classes, self.images, self.pixels, strict=True):
            top = float(pixels.abs().max()) or 1.0
            axes.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=255, alpha=0.5)
            axes.imshow(pixels.numpy(), cmap="bwr", vmin=-top, vmax=top, alpha=0.5)
            axes.set_title(label, fontsize="small")
        return figure


def inspect_images(
    network: nn.Module, pixels: Tensor, labels: Tensor, classes: Sequence[str], name: str, model: str
) -> ImageInspection:
    """Analyses an image classifier.

    Args:
        network: Network in evaluation mode, with a ``reader`` for its inputs.
        pixels: Grey levels from 0 to 255, ``(images, height, width)``.
        labels: Labels of the images ``(images,)`` int64; each class occurs at least once.
        classes: Names of the classes.
        name: Name of the run.
        model: The model, in words.
    """
    first = torch.tensor([int((labels == label).nonzero()[0, 0]) for label in range(len(classes))])
    return ImageInspection(
        name,
        model,
        classes,
        pixels[first].cpu(),
        _counting(network, pixels[first]),
        gradient_by_step(network, pixels, labels) if isinstance(network, ImageRecurrence) else None,
    )


def _counting(network: nn.Module, images: Tensor) -> Tensor:
    """Influence of each pixel on the class, for one image of each class: gradient times input."""
    with evaluating(network), torch.enable_grad():
        grey = images.float().requires_grad_()
        logits = network(grey)
        own = logits.diagonal().sum() - logits.mean(1).sum()
        (slope,) = torch.autograd.grad(own, grey)
    return (slope * images).detach().cpu()


def gradient_by_step(network: ImageRecurrence, pixels: Tensor, labels: Tensor) -> Tensor | None:
    """Gradients through time, see ``gradient_at_steps``; None for a bidirectional stack.

    Args:
        network: Recurrent network over rows or pixels.
        pixels: Grey levels ``(images, height, width)``.
        labels: ``(images,)`` int64.
    """
    if network.recurrent.directions == 2:
        return None

    def loss(outputs: Tensor) -> Tensor:
        return F.cross_entropy(network.classified(outputs), labels, reduction="sum")

    with evaluating(network):
        return gradient_at_steps(network.recurrent, network.reader(pixels), loss).cpu()
