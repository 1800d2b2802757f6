import pytest
import torch
from stacks import BATCH, SIZE, TIME, WIDTH, numbers, stack

from seqlab.errors import UserError
from seqlab.recurrence.connections import CONNECTIONS, Dense, Highway
from seqlab.recurrence.stack import Recurrent


def test_what_each_layer_is_as_wide_as() -> None:
    assert {name: kind(5, [7, 7, 7]).input_sizes for name, kind in CONNECTIONS.items()} == {
        **{name: [5, 7, 7] for name in ("plain", "residual", "highway")},
        "dense": [5, 12, 19],
    }
    assert Dense(5, [2, 3]).input_sizes == [5, 7]


def test_a_highway_first_carries_its_input() -> None:
    """sigmoid(-1) = 0.2689 of what a layer says, the rest of what it read."""
    highway = Highway(2, [2, 2])
    torch.nn.init.zeros_(highway.gates[0].weight)
    mixed = highway(1, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(mixed, torch.tensor([0.73106, 0.26894]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["residual", "highway"])
def test_layers_that_are_added_are_equally_wide(name: str) -> None:
    with pytest.raises(UserError, match=rf"^{name} connections need layers of one width, not \[4, 5\]$"):
        CONNECTIONS[name](3, [4, 5])


def test_connections_by_their_formulas() -> None:
    inputs = numbers(BATCH, TIME, SIZE)
    for connections in ("residual", "highway", "dense"):
        network = stack("gru", num_layers=3, connections=connections)
        layers = []
        for name, size in enumerate(network.connection.input_sizes):
            one = Recurrent("gru", size, WIDTH).double()
            weights = {key: value for key, value in network.layers.state_dict().items() if key.endswith(f"_l{name}")}
            one.layers.load_state_dict({key.replace(f"_l{name}", "_l0"): value for key, value in weights.items()})
            layers.append(one)
        steps = inputs
        for row, layer in enumerate(layers):
            outputs = layer(steps)[0]
            if connections == "residual":
                steps = outputs + steps if row else outputs
            elif connections == "highway":
                gate = network.connection.gates[row - 1] if row else None
                share = torch.sigmoid(steps @ gate.weight.T + gate.bias) if gate is not None else 1.0
                steps = share * outputs + (1 - share) * (steps if row else 0)
            else:
                steps = torch.cat([steps, outputs], -1) if row < 2 else outputs
        torch.testing.assert_close(network(inputs)[0], steps, rtol=0, atol=1e-12)
