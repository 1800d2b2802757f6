"""Weights for other programs."""

from collections.abc import Mapping

from torch import Tensor

from seqlab.errors import UserError


def as_safetensors(weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The content of a safetensors file; every tensor by itself, also those that a model shares.

    Raises:
        UserError: The package is missing.
    """
    try:
        from safetensors.torch import save
    except ImportError:
        raise UserError("format safetensors needs safetensors; install with pip install 'seqlab[export]'") from None
    content: bytes = save({name: one.clone().contiguous() for name, one in weights.items()}, dict(metadata))
    return content
