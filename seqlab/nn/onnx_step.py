"""A recurrent language network as an ONNX graph, state in and state out."""

import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from copy import deepcopy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.language_network import LanguageNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

TRACED_BATCH = 2
"""Rows of the traced example; torch treats sizes 0 and 1 as fixed."""


class _Step(nn.Module):
    """The state and ids ``(batch,)`` of one step -> the state after it and logits ``(batch, vocab_size)``."""

    def __init__(self, network: LanguageNetwork) -> None:
        super().__init__()
        self.network = deepcopy(network).float()
        self.network.recurrent.backend = "reference"

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        *state, ids = inputs
        logits, after = self.network(ids.unsqueeze(1), tuple(state))
        return *after, logits.squeeze(1)


def check_packages() -> None:
    """Checks that ONNX is installed and a temporary folder exists.

    Raises:
        UserError: ONNX or the folder is missing.
    """
    missing = [package for package in ("onnx", "onnxscript") if find_spec(package) is None]
    if missing:
        raise UserError(f"format onnx needs {' and '.join(missing)}; install with pip install 'seqlab[export]'")
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise UserError(f"the exporter needs a temporary folder: {error.strerror}; make room, or set TMPDIR") from None


def onnx_bytes(network: LanguageNetwork, metadata: Mapping[str, str]) -> bytes:
    """The file of ``onnx_model``, with metadata, and the first state under ``first_state`` as JSON.

    Raises:
        UserError: A package is missing.
    """
    check_packages()
    from onnx.helper import set_model_props

    first_state = {part: rows.tolist() for part, rows in network.recurrent.first_state.items()}
    model = onnx_model(network)
    set_model_props(model, {**metadata, "first_state": json.dumps(first_state)})
    return model.SerializeToString()


def onnx_model(network: LanguageNetwork) -> "ModelProto":
    """The graph of a network without its dropout: ONNX's Scan runs one step over time, so batch and time are dynamic.

    Args:
        network: Network to copy, in float32.

    Returns:
        A model with inputs ``ids`` ``(batch, time)`` int64 and each part of the cell's state by name, ``h`` or ``h``
        and ``c``, ``(layers, batch, hidden_size)`` float32. Its outputs are ``logits``
        ``(batch, time, vocab_size)`` and the state after the last step, ``next_h`` and ``next_c``.
    """
    from onnx import TensorProto
    from onnx.helper import make_graph, make_node, make_tensor_value_info

    layers, _, hidden_size = network.recurrent.zero_state(TRACED_BATCH)[0].shape
    before = list(network.recurrent.cell.states)
    after = [f"next_{part}" for part in before]
    model = _one_step(network)
    over_time = make_node(
        "Scan",
        [*before, "ids"],
        [*after, "logits"],
        body=model.graph,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[1],
    )
    ids = make_tensor_value_info("ids", TensorProto.INT64, ("batch", "time"))
    logits = make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", "time", network.output.out_features))
    first, last = (
        [make_tensor_value_info(part, TensorProto.FLOAT, (layers, "batch", hidden_size)) for part in parts]
        for parts in (before, after)
    )
    model.graph.CopyFrom(make_graph([over_time], "language_network", [ids, *first], [logits, *last]))
    return model


def _one_step(network: LanguageNetwork) -> "ModelProto":
    """The graph of ``_Step``."""
    from onnxscript import FLOAT, opset20
    from torch.export import Dim

    def log_sigmoid(y: FLOAT) -> FLOAT:
        """log sigmoid(y) = -softplus(-y). torch exports the logarithm of a sigmoid, which is -inf far below 0."""
        return opset20.Neg(opset20.Softplus(opset20.Neg(y)))

    step, batch = _Step(network).eval(), Dim("batch")
    state = step.network.recurrent.zero_state(TRACED_BATCH)
    ids = torch.zeros(TRACED_BATCH, dtype=torch.int64)
    return traced(
        step,
        (*state, ids),
        dynamic_shapes=((*({1: batch} for _ in state), {0: batch}),),
        custom_translation_table={torch.ops.aten.log_sigmoid.default: log_sigmoid},
    )


def traced(module: nn.Module, inputs: tuple[Tensor, ...], **asked: Any) -> "ModelProto":
    """The graph of a module, without torch's paths of source files and without torch's messages.

    Args:
        module: Module in evaluation mode.
        inputs: Example inputs for tracing.
        asked: More arguments of ``torch.onnx.export``.
    """
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, inputs, dynamo=True, opset_version=20, verbose=False, **asked)
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto
