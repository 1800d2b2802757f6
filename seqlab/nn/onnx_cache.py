"""A Transformer language network as an ONNX graph, its keys and values in and out."""

from collections.abc import Mapping
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from seqlab.nn.onnx_step import check_packages, traced
from seqlab.nn.transformer_language import Read, TransformerLanguage

if TYPE_CHECKING:
    from onnx import ModelProto

TRACED = 2, 3, 4
"""Rows, tokens and earlier tokens of the traced example; torch treats sizes 0 and 1 as fixed."""


class _Cached(nn.Module):
    """Ids, and keys and values of earlier ids -> logits, and keys and values of all ids."""

    def __init__(self, network: TransformerLanguage) -> None:
        super().__init__()
        self.network = deepcopy(network).float()

    def forward(self, ids: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = ids.new_zeros(ids.shape[0], keys.shape[3])
        outputs, read = self.network.read(ids, Read(before, keys, values))
        logits: Tensor = self.network.output(outputs)
        return logits, read.keys, read.values


def cached_onnx_bytes(network: TransformerLanguage, metadata: Mapping[str, str]) -> bytes:
    """The file of ``cached_onnx_model``, with metadata.

    Raises:
        UserError: A package is missing.
    """
    check_packages()
    from onnx.helper import set_model_props

    model = cached_onnx_model(network)
    set_model_props(model, {**metadata})
    return model.SerializeToString()


def cached_onnx_model(network: TransformerLanguage) -> "ModelProto":
    """The graph of a network without its dropout.

    Args:
        network: Network to copy, in float32.

    Returns:
        A model with inputs ``ids`` ``(batch, time)`` int64 and ``keys`` and ``values``
        ``(batch, layers, heads, past, head_size)`` float32 of the earlier tokens, ``past`` 0 at the beginning. Its
        outputs are ``logits`` ``(batch, time, vocab_size)`` and the keys and values of all tokens so far, ``next_keys``
        and ``next_values``. They must not hold more tokens than a window.
    """
    from torch.export import Dim

    options = network.options
    batch, time, past = TRACED
    ids = torch.zeros(batch, time, dtype=torch.int64)
    shape = batch, options.num_layers, options.num_heads, past, options.hidden_size // options.num_heads
    kept = {0: Dim("batch"), 3: Dim("past")}
    return traced(
        _Cached(network).eval(),
        (ids, torch.zeros(shape), torch.zeros(shape)),
        input_names=["ids", "keys", "values"],
        output_names=["logits", "next_keys", "next_values"],
        dynamic_shapes=({0: Dim("batch"), 1: Dim("time")}, kept, kept),
    )
