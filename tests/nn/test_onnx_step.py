from typing import Any

import numpy as np
import pytest
import torch
from few_cells import few_cells

from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.nn.onnx_step import onnx_model
from seqlab.recurrence.stack import State

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

VOCAB = 11


def random_state(network: LanguageNetwork, batch: int) -> State:
    """As a run leaves it: zero beyond the width of a layer."""
    state = tuple(torch.randn_like(part) for part in network.recurrent.zero_state(batch))
    for layer, width in enumerate(network.recurrent.widths):
        for part in state:
            part[layer, :, width:] = 0
    return state


def network_of(**options: Any) -> LanguageNetwork:
    torch.manual_seed(1)
    network = LanguageOptions(dropout=0.3, **options).build(VOCAB).eval().requires_grad_(False)
    for weight in network.parameters():
        if weight.dim() == 1:
            weight += torch.randn_like(weight)  # so that no bias is zero
    return network


def session_of(network: LanguageNetwork) -> Any:
    model = onnx_model(network)
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    assert b"seqlab" not in content, "no path of a source file"
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def run(session: Any, network: LanguageNetwork, ids: torch.Tensor, state: State) -> list[np.ndarray]:
    parts = network.recurrent.cell.states
    feed = {"ids": ids.numpy(), **{name: part.numpy() for name, part in zip(parts, state, strict=True)}}
    return session.run(["logits", *(f"next_{part}" for part in parts)], feed)


def check(network: LanguageNetwork, tolerance: float = 1e-5) -> None:
    """Equal outputs, also for more rows than ids, which one-hot inputs are looked up by another rule for."""
    session = session_of(network)
    for batch, time in ((1, 1), (2, 1), (3, 7), (2 * VOCAB, 2)):
        ids, state = torch.randint(VOCAB, (batch, time)), random_state(network, batch)
        logits, after = network(ids, state)
        for found, expected in zip(run(session, network, ids, state), (logits, *after), strict=True):
            torch.testing.assert_close(torch.from_numpy(found), expected, rtol=tolerance, atol=tolerance)


@few_cells
def test_every_cell_in_a_stack(cell: str) -> None:
    check(network_of(cell=cell, hidden_size=[8, 6]))


@pytest.mark.parametrize(
    "options",
    [
        {"embedding_size": None, "connections": "dense", "hidden_size": [8, 6], "cell": "lstm", "learned_state": True},
        *(
            pytest.param(options, marks=pytest.mark.slow)
            for options in (
                {"embedding_size": None},
                {"connections": "residual", "num_layers": 2, "embedding_size": 8, "tied": True},
                {"connections": "highway", "num_layers": 3, "variational": True, "weight_drop": 0.3},
                {"learned_state": True, "cell": "gru_before"},
                {"cell": "rnn_relu", "backend": "torch"},
            )
        ),
    ],
    ids=lambda options: " ".join(options),
)
def test_every_kind_of_network(options: dict[str, Any]) -> None:
    check(network_of(**{"hidden_size": 8, **options}))


@pytest.mark.parametrize("cell", [pytest.param("min_gru", marks=pytest.mark.slow), "min_lstm"])
def test_gates_far_from_zero(cell: str) -> None:
    network = network_of(cell=cell, hidden_size=8)
    network.recurrent.get_parameter("layers.bias_ih_l0").mul_(200)
    check(network, tolerance=5e-5)  # sums of hundreds in float32, in another order


def test_inputs_and_outputs_and_the_network_is_left_alone() -> None:
    network = network_of(cell="lstm", hidden_size=[8, 6]).double()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    graph = onnx_model(network.train()).graph
    assert network.recurrent.backend == "auto"
    assert network.training
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=0)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    state = [2, "batch", 8]
    assert shapes == {
        "ids": ["batch", "time"],
        "h": state,
        "c": state,
        "logits": ["batch", "time", VOCAB],
        "next_h": state,
        "next_c": state,
    }
