from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab.analysis.activations import Saturation
from seqlab.analysis.inspection import Inspection, inspect_network
from seqlab.errors import UserError
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.text.codec import Codec

TEXT = "abcab" * 40


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.build(lambda: iter([TEXT]), cleaning="raw")


def inspected(codec: Codec, num_steps: int = 9, **options: object) -> Inspection:
    torch.manual_seed(0)
    given = {"cell": "lstm", "hidden_size": [4, 3], "num_layers": None, "embedding_size": 2, **options}
    network = LanguageNetwork(codec.vocab_size, LanguageOptions(**given)).eval()  # type: ignore[arg-type]
    return inspect_network(network, codec, np.array(codec.encode(TEXT)), num_steps, "two", "a text")


def test_what_is_found(codec: Codec) -> None:
    found = inspected(codec)
    parameters = 4 * 2 + 16 * (2 + 4 + 2) + 12 * (4 + 3 + 2) + 4 * (3 + 1)  # embedding, two layers, output
    assert found.model == f"lstm, 4 + 3 units, {parameters} parameters"
    assert found.corpus == "20 pieces of 9 tokens of a text"
    assert found.gradients.shape == (2, 10)
    assert [len(lives) for lives in found.half_lives] == [4, 3]
    assert sorted(found.gates) == [f"layer{layer}/{gate}" for layer in (0, 1) for gate in "fio"]
    assert "".join(found.tokens) == TEXT
    assert found.values.shape == (200, 3)
    lives = found.half_lives[1][found.units].tolist()
    assert lives == sorted(lives, reverse=True)
    assert {token: len(near) for token, near in found.neighbours.items()} == {"a": 3, "b": 3, "c": 3}


def test_one_hot_inputs_have_no_neighbours(codec: Codec) -> None:
    assert inspected(codec, embedding_size=None).neighbours == {}


def test_a_report_by_hand() -> None:
    found = Inspection(
        name="n",
        model="rnn",
        corpus="c",
        gradients=torch.tensor([[8.0, 4.0, 2.0]]),
        radii={"h": 0.5},
        gates={"layer0/z": Saturation(torch.tensor([0.25, 0.75]), torch.tensor([0.125, 0.125]))},
        half_lives=[torch.tensor([1, 3, 9])],
        tokens=[],
        units=[],
        values=torch.ones(0),
        neighbours={"a": [("b", 0.25)]},
    )
    lines = [line.split() for line in str(found).splitlines()]
    assert ["k", "1", "2"] in lines
    assert ["layer", "0", "1", "0.5"] in lines  # relative to lag 1
    assert ["layer", "0", "3", "9"] in lines  # median and slowest half-life
    assert ["layer", "0,", "update", "gate", "50.0%", "12.5%"] in lines
    assert ["h", "0.500"] in lines
    assert ["a", "b", "0.25"] in lines


def test_figures_of_a_model(codec: Codec, tmp_path: Path) -> None:
    files = Inspection.draw([inspected(codec)], tmp_path)
    assert [file.name for file in files] == ["gradient_flow.png", "two-gates.png", "two-units.png", "two-units.html"]
    assert all(file.stat().st_size > 0 for file in files)


def test_too_little_to_look_at(codec: Codec) -> None:
    with pytest.raises(UserError, match="^num_steps 0 must be a whole number of at least 1$"):
        inspected(codec, num_steps=0)
    network = LanguageNetwork(codec.vocab_size, LanguageOptions(hidden_size=2))
    with pytest.raises(UserError, match="^the text has 2 tokens, which is too short to look at"):
        inspect_network(network, codec, np.array([1, 2]), 5, "n", "a text")
