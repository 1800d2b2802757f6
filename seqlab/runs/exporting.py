"""Weights for other programs."""

from collections.abc import Mapping

from torch import Tensor

from seqlab.errors import UserError


def as_safetensors(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The content of a safetensors file, with a separate copy of every shared tensor.

    Raises:
        UserError: The package is missing.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise UserError("format safetensors needs safetensors; install with pip install 'seqlab[export]'") from None
    content: bytes = save({name: one.clone().contiguous() for name, one in weights.items()}, dict(metadata))
    return content
