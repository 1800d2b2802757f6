import pytest

from seqlab.board_tags import board_tag, gate_words


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("train/loss", "train/loss"),
        ("val/perplexity", "val/perplexity"),
        ("mine/own", "mine/own"),
        ("gates/layer0/z_closed", "watch gates/layer 0, update gate, closed"),
        ("gates/layer1/r", "watch gates/layer 1, reset gate"),
        ("gradient_flow/layer0_lag_8", "watch gradient flow/layer 0, 8 steps back"),
        ("attention_distance/layer2_head1", "watch attention distance/layer 2, head 1"),
        ("spectral_radius/layer0/n", "watch spectral radius/layer 0, candidate"),
        ("speed/data_ms", "watch speed/data in ms"),
        ("speed/memory_mb", "watch speed/memory in MB"),
        ("update_ratio/output", "watch update over weight/output"),
        ("gates", "gates"),
    ],
)
def test_tags(name: str, tag: str) -> None:
    assert board_tag(name) == tag


def test_gates_in_words() -> None:
    assert gate_words("layer0/f") == "layer 0, forget gate"
    assert gate_words("layer0") == "layer0"
