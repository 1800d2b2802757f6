"""The size of a network, before it is made."""

import os
from collections.abc import Iterable

import torch
from torch import Tensor

from seqlab.errors import UserError
from seqlab.models.model import Codecs, Model
from seqlab.options import Options

COPIES = 4
"""Numbers per weight: the weight, its gradient, and two averages of Adam."""

BOTH_WAYS = 2
"""Numbers per activation: the value and its gradient."""


def shapes_of(kind: type[Model], options: Options, codecs: Codecs) -> dict[str, Tensor] | None:
    """The weights of a model by name, as tensors with shapes and dtypes but without memory.

    Args:
        kind: Kind of model.
        options: Options of its network.
        codecs: Codecs of its ids.

    Returns:
        None if a network cannot be made without memory.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = kind.network_of(options, codecs)
    except (NotImplementedError, RuntimeError) as error:
        if isinstance(error, NotImplementedError) or "meta" in str(error):
            return None
        raise
    return {f"network.{name}": weights for name, weights in network.state_dict().items()}


def steps_of(batch: Iterable[object]) -> int:
    """Steps of all rows of the largest batch, with padding."""
    shapes = [one.shape for one in batch if isinstance(one, Tensor) and one.ndim > 1]
    return max((rows * steps for rows, steps, *_ in shapes), default=1)


def check_fits(kind: type[Model], options: Options, codecs: Codecs, items: int) -> None:
    """Checks that a model fits into the memory of this machine for training, by a lower estimate.

    Args:
        kind: Kind of model.
        options: Options of its network.
        codecs: Codecs of its ids.
        items: Tokens, or other steps, in a batch.

    Raises:
        UserError: The model does not fit.
    """
    way_out = "give a smaller --model.hidden_size, --model.embedding_size or --data.batch_size"
    try:
        shapes = shapes_of(kind, options, codecs)
    except RuntimeError as error:
        if "overflow" not in str(error):
            raise
        raise UserError(f"a model of these sizes has more numbers than can be counted; {way_out}") from None
    if shapes is None:
        return
    weights = sum(weight.numel() for weight in shapes.values())
    each = sum(weight.shape[0] for name, weight in shapes.items() if weight.ndim == 2 and "embedding" not in name)
    size, activations = 4 * COPIES * weights, 4 * BOTH_WAYS * each * items
    if size + activations > (there := memory()):
        raise UserError(
            f"this model has {weights:,} parameters, {size / 1e9:,.1f} GB with their gradients and averages, and "
            f"{activations / 1e9:,.1f} GB of activations in a batch of {items:,} items, but this machine has "
            f"{there / 1e9:,.1f} GB; {way_out}"
        )


def memory() -> int:
    """Memory of this machine in bytes, or of its largest GPU if that has more."""
    own = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    gpus = [torch.cuda.get_device_properties(i).total_memory for i in range(torch.cuda.device_count())]
    return max(own, *gpus, 0)
