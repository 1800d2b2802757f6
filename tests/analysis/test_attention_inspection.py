from pathlib import Path

import numpy as np
import pytest
import torch

from seqlab.analysis.attention_inspection import AttentionInspection, inspect_attention
from seqlab.analysis.inspection import LanguageInspection, inspect_network
from seqlab.errors import UserError
from seqlab.nn.language_network import LanguageOptions
from seqlab.nn.transformer_language import TransformerLanguageOptions
from seqlab.text.codec import Codec

TEXT = "abcab" * 40


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.build(lambda: iter([TEXT]), cleaning="raw")


@pytest.fixture(scope="module")
def found(codec: Codec) -> AttentionInspection:
    torch.manual_seed(0)
    options = TransformerLanguageOptions(hidden_size=8, num_layers=2, num_heads=2)
    network = options.build(codec.vocab_size).eval()
    return inspect_attention(network, codec, np.array(codec.encode(TEXT)), 9, "looks", "a text")


def test_what_is_found(found: AttentionInspection) -> None:
    assert found.model.startswith("Transformer, 2 layers of 2 heads, 8 numbers, rotary positions, ")
    assert found.corpus == "20 pieces of 9 tokens of a text"
    assert found.gradients.shape == (2, 9)
    assert found.weights.shape == (2, 2, 9)
    assert found.shown.shape == (2, 2, 9, 9)
    assert "".join(found.tokens) == TEXT[:9]
    said = str(found)
    assert "attention paid to the token k steps back" in said
    assert "floating-point operations of a token" in said
    assert "feed-forward layers" in said


def test_recurrences_and_attention_are_drawn_together(found: AttentionInspection, codec: Codec, tmp_path: Path) -> None:
    recurrent = LanguageOptions(hidden_size=4, embedding_size=2).build(codec.vocab_size).eval()
    other = inspect_network(recurrent, codec, np.array(codec.encode(TEXT[:30])), 9, "carries", "a text")
    files = LanguageInspection.draw([found, other], tmp_path)
    names = ["gradient_flow.png", "looks-heads.png", "carries-gates.png", "carries-units.png", "carries-units.html"]
    assert [path.name for path in files] == names
    assert all(path.stat().st_size > 500 for path in files)


def test_refusals(codec: Codec) -> None:
    network = TransformerLanguageOptions(hidden_size=8, num_layers=1, num_heads=2).build(codec.vocab_size)
    with pytest.raises(UserError, match="too short to look at"):
        inspect_attention(network, codec, np.array([1, 2]), 9, "n", "t")
    with pytest.raises(UserError, match="num_steps 0"):
        inspect_attention(network, codec, np.array([1, 2, 1]), 0, "n", "t")
