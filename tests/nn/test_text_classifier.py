from typing import Any

import pytest
import torch
from few_cells import few_cells
from torch import Tensor, nn

from seqlab.errors import UserError
from seqlab.nn.text_classifier import RecurrentClassifier, RecurrentClassifierOptions

VOCAB, CLASSES, HIDDEN = 11, 3, 6


def network(seed: int = 0, **options: Any) -> RecurrentClassifier:
    torch.manual_seed(seed)
    given = {"hidden_size": HIDDEN, "embedding_size": 5, "embedding_std": 1.0, **options}
    return RecurrentClassifierOptions(**given).build(VOCAB, CLASSES).double().eval()


def texts(batch: int = 8, time: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, time + 1, (batch,), generator=generator)
    lengths[0] = time
    return torch.randint(VOCAB, (batch, time), generator=generator), lengths


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@few_cells
def test_padding_and_company_change_nothing(cell: str, pooling: str) -> None:
    made = network(cell=cell, pooling=pooling, num_layers=2, norm="batch")
    ids, lengths = texts()
    logits = made(ids, lengths)
    assert logits.shape == (8, CLASSES)
    more = torch.cat([ids, torch.full((8, 4), 3)], 1)
    torch.testing.assert_close(made(more, lengths), logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(made.weights(more, lengths)[:, 7:], torch.zeros(8, 4).double(), rtol=0, atol=0)
    for row, length in enumerate(lengths.tolist()):
        alone = made(ids[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone, logits[row : row + 1], rtol=0, atol=1e-12)
    sums = made.weights(ids, lengths).sum(1)
    torch.testing.assert_close(sums, torch.ones(8).double(), rtol=0, atol=1e-12)


def test_equals_torch_layers_and_their_last_states() -> None:
    made = network(cell="lstm", pooling="last", backend="torch")
    ids, lengths = texts()
    reference = nn.LSTM(5, HIDDEN, batch_first=True, bidirectional=True).double()
    reference.load_state_dict(made.recurrent.layers.state_dict())
    for row, length in enumerate(lengths.tolist()):
        _, (h, _) = reference(made.embedding(ids[row : row + 1, :length]))
        expected = made.output(torch.cat([h[0], h[1]], 1))
        torch.testing.assert_close(made(ids, lengths)[row : row + 1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["torch", "scan", "reference"])
def test_backends_agree(backend: str) -> None:
    ids, lengths = texts()
    torch.testing.assert_close(network(backend=backend)(ids, lengths), network()(ids, lengths), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        {"cell": "lstm"},
        {"hidden_size": 7},
        {"num_layers": 2},
        {"bidirectional": False},
        {"pooling": "last"},
        {"pooling": "mean"},
        {"pooling": "attention"},
        {"norm": "layer"},
        {"norm": "batch"},
        {"embedding_size": 4},
        {"embedding_std": 0.5},
        {"init": "xavier"},
        {"hidden_size": [HIDDEN, 5]},
    ],
    ids=str,
)
def test_every_option_changes_the_logits(changed: dict[str, Any]) -> None:
    ids, lengths = texts()
    assert not torch.allclose(network(**changed)(ids, lengths), network()(ids, lengths))


def test_other_options_change_the_logits() -> None:
    ids, lengths = texts()
    two = network(num_layers=2)(ids, lengths)
    for connections in ("residual", "highway", "dense"):
        assert not torch.allclose(network(num_layers=2, connections=connections)(ids, lengths), two)
    assert not torch.allclose(
        network(cell="lstm", forget_bias=5.0)(ids, lengths), network(cell="lstm")(ids, lengths), atol=1e-6
    )
    learned = network(learned_state=True)
    with torch.no_grad():
        learned.recurrent.first_state["h"].fill_(1)
    assert not torch.allclose(learned(ids, lengths), network()(ids, lengths))


@pytest.mark.parametrize(
    "share", [{"dropout": 0.5}, {"word_dropout": 0.5}, {"embedding_dropout": 0.5}, {"weight_drop": 0.5}], ids=str
)
def test_dropout_acts_while_training_alone(share: dict[str, float]) -> None:
    ids, lengths = texts()
    made = network(**{"dropout": 0.0, **share})
    torch.testing.assert_close(made(ids, lengths), made(ids, lengths), rtol=0, atol=0)
    made.train()
    assert not torch.allclose(made(ids, lengths), made(ids, lengths))


def test_variational_dropout_keeps_one_mask_over_time() -> None:
    made = network(variational=True, embedding_dropout=0.5).train()
    embedded = made.embedding_dropout(torch.ones(2, 9, 5).double())
    torch.testing.assert_close(embedded, embedded[:, :1].expand_as(embedded), rtol=0, atol=0)


def test_frozen_vectors_do_not_learn() -> None:
    made = network(vectors="glove.txt", freeze_vectors=True)
    type(made.options).from_plain(made.options.plain())  # what a checkpoint is read with does without the file
    made(*texts()).sum().backward()
    assert made.embedding.weight.grad is None
    assert made.output.weight.grad is not None
    assert network(vectors="glove.txt").embedding.weight.requires_grad


def test_state_dict_round_trip() -> None:
    ids, lengths = texts()
    made, other = network(norm="batch", pooling="attention"), network(seed=1, norm="batch", pooling="attention")
    assert not torch.allclose(made(ids, lengths), other(ids, lengths))
    other.load_state_dict(made.state_dict())
    torch.testing.assert_close(made(ids, lengths), other(ids, lengths), rtol=0, atol=0)


def test_options_are_checked_and_come_back_from_plain_values() -> None:
    options = RecurrentClassifierOptions(hidden_size=[4, 5], cell="lstm")
    assert RecurrentClassifierOptions.from_plain(options.plain()) == options
    with pytest.raises(UserError, match="unknown cell 'gruu'"):
        RecurrentClassifierOptions(cell="gruu")
    with pytest.raises(UserError, match="word_dropout 1 must be at least 0 and below 1"):
        RecurrentClassifierOptions(word_dropout=1)
    with pytest.raises(UserError, match="hidden_size 0 must be a whole number of at least 1"):
        RecurrentClassifierOptions(hidden_size=0)
