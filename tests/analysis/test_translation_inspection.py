from pathlib import Path

import torch

from seqlab.analysis.translation_attention import TranslationAttention
from seqlab.analysis.translation_inspection import TranslationInspection

EVEN = torch.full((1, 1, 2, 2), 0.5)
LOWEST = torch.tensor([[1.0, 0.0], [1.0, 0.0]]).expand(2, 1, 2, 2)
FOUND = TranslationInspection(
    "run", "Run!", "cours!", TranslationAttention(["run", "<eos>"], ["cours", "<eos>"], EVEN, LOWEST, LOWEST)
)


def test_the_reach_of_encoder_and_decoder() -> None:
    assert str(FOUND).splitlines() == [
        "run: Run! -> cours!",
        "",
        "distance in words of what a head of the encoder looks at, on average",
        "        head         0",
        "     layer 0       0.5",
        "",
        "distance in words of what a head of the decoder's self-attention looks at, on average",
        "        head         0",
        "     layer 0       0.5",
        "     layer 1       0.5",
    ]


def test_three_figures_of_each_model(tmp_path: Path) -> None:
    files = TranslationInspection.draw([FOUND], tmp_path / "figures")
    assert [path.name for path in files] == ["run-heads-encoder.png", "run-heads-decoder.png", "run-heads-cross.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
