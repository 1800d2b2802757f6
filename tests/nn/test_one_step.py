from typing import Any

import pytest
import torch

from seqlab.cells import CELLS
from seqlab.native.compiler import portable
from seqlab.nn.language_network import LanguageNetwork, LanguageOptions
from seqlab.nn.one_step import TABLE, OneStep, one_step
from seqlab.nn.window_language import WindowLanguageOptions

VOCAB = 11


def network(vocab_size: int = VOCAB, **options: Any) -> LanguageNetwork:
    torch.manual_seed(0)
    made = LanguageOptions(**{"hidden_size": 6, "embedding_size": 5, "dropout": 0.5, **options}).build(vocab_size)
    return made.double().eval()


def check(made: LanguageNetwork) -> None:
    """The same numbers as the whole text at once."""
    ids = torch.randint(VOCAB, (3, 12), generator=torch.Generator().manual_seed(1))
    step = one_step(made)
    assert isinstance(step, OneStep)
    with torch.inference_mode():
        logits, state = step(ids[:, :4], None)
        parts = [logits]
        for column in ids[:, 4:].split(1, 1):
            logits, state = step(column, state)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, 1), made(ids)[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("embedding_size", [5, None])
@pytest.mark.parametrize("cell", CELLS)
def test_it_gives_the_numbers_of_the_network(cell: str, embedding_size: int | None) -> None:
    check(network(cell=cell, embedding_size=embedding_size))


@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 3},
        {"hidden_size": [7, 4]},
        {"embedding_size": None},
        {"embedding_size": None, "num_layers": 2, "cell": "lstm"},
        {"tied": True, "embedding_size": 6},
        {"learned_state": True},
        {"weight_drop": 0.5},
    ],
    ids=str,
)
def test_of_every_stack(options: dict[str, Any]) -> None:
    check(network(**options))


@pytest.mark.skipif(portable().library is None, reason=portable().reason or "there is")
def test_compiled_code_runs_what_it_knows() -> None:
    for cell, known in CELLS.items():
        step = one_step(network(cell=cell).float())
        assert (step.compiled is not None) == (known.torch_name is not None), cell
    assert one_step(network(vocab_size=TABLE + 1).float()).compiled is None


def test_many_ids_have_no_table() -> None:
    made = network(vocab_size=TABLE + 1)
    assert one_step(made).table is None
    check(made)


@pytest.mark.parametrize("options", [{"connections": "residual", "num_layers": 2}, {"backend": "torch"}], ids=str)
def test_other_networks_run_as_they_are(options: dict[str, Any]) -> None:
    made = network(**options)
    assert one_step(made) is made
    other = WindowLanguageOptions(hidden_size=4).build(VOCAB)
    assert one_step(other) is other
