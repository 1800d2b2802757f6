from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from seqlab.analysis.chain_inspection import ChainInspection, influences, table_of
from seqlab.data.tagged_batches import TaggedBatch
from seqlab.nn.crf import CRF
from seqlab.nn.tagger import Tagger, TaggerOptions

OPTIONS = TaggerOptions(cell="gru", hidden_size=4, embedding_size=3, casing_size=0, dropout=0.0, word_dropout=0.0)


def sentence(time: int) -> TaggedBatch:
    ids = torch.arange(2, time + 2).unsqueeze(0)
    ones = torch.ones(1, dtype=torch.int64)
    return TaggedBatch(ids, ids, ids, ids, ones, ones * time, ids, ones.bool(), ones)


def test_what_a_forward_net_cannot_see_counts_for_nothing() -> None:
    torch.manual_seed(0)
    network = Tagger(9, 3, 2, replace(OPTIONS, bidirectional=False)).eval()
    found = influences(network, sentence(5), torch.zeros(5, dtype=torch.int64))
    assert not found.triu(1).any()
    torch.testing.assert_close(found.sum(1), torch.ones(5))


def test_influence_by_hand() -> None:
    torch.manual_seed(0)
    network = Tagger(9, 3, 2, OPTIONS).double().eval()
    given, tags, step = sentence(3), torch.tensor([0, 1, 1]), 1e-6
    vectors = network.vectors(given).detach()
    expected = torch.zeros(3, 3, dtype=torch.float64)
    for word in range(3):
        for sign in (1, -1):
            moved = vectors.clone()
            moved[0, word] *= 1 + sign * step
            scores = network.scores(moved, given.lengths)[0].gather(1, tags.unsqueeze(1)).squeeze(1)
            expected[:, word] += sign * scores.detach() / (2 * step)
    expected = expected.abs() / expected.abs().sum(1, keepdim=True)
    torch.testing.assert_close(influences(network, given, tags), expected, rtol=1e-5, atol=1e-7)


def test_the_table_has_start_and_end_and_what_is_impossible(tmp_path: Path) -> None:
    crf = CRF(2)
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor([[1.0, 2.0], [3.0, -4.0]]))
        crf.start.copy_(torch.tensor([5.0, 6.0]))
    allowed = torch.ones(3, 3, dtype=torch.bool)
    allowed[0, 1] = False
    crf.constrain(allowed)
    table = table_of(crf.chain())
    assert table.tolist() == [[1.0, -np.inf, 0.0], [3.0, -4.0, 0.0], [5.0, 6.0, -np.inf]]
    shown = ChainInspection("run", ["A", "B"], table, ["we", "go"], ["A", "B"], np.array([[0.9, 0.1], [0.3, 0.7]]))
    text = str(shown)
    assert "6.00 (start) -> B" in text
    assert "-4.00       B -> B" in text
    assert "1 transitions are impossible" in text
    assert "go B" in text
    assert "go 0.70  we 0.30" in text
    assert [path.name for path in ChainInspection.draw([shown], tmp_path)] == ["run-transitions.png", "run-words.png"]
    assert all(path.stat().st_size > 5_000 for path in tmp_path.iterdir())
