from pathlib import Path

import torch

from seqlab.analysis.text_inspection import SHOWN_CLASSES, SHOWN_WORDS, TextInspection

WORDS = [("who", 0.5), ("wrote", 0.25), ("it", 0.2), ("?", 0.05)]


def inspected(attention: torch.Tensor | None) -> TextInspection:
    return TextInspection("run", "HUM", {"LOC": 0.25, "HUM": 0.75}, WORDS, attention)


def test_the_most_likely_and_the_heaviest_come_first() -> None:
    lines = str(inspected(None)).splitlines()
    assert lines[:4] == ["run: HUM", "", "the most likely classes", "HUM 0.750"]
    assert [line.split() for line in lines[-4:]] == [
        ["who", "0.500"],
        ["wrote", "0.250"],
        ["it", "0.200"],
        ["?", "0.050"],
    ]


def test_few_are_listed() -> None:
    classes = {f"class{k}": k / 100 for k in range(20)}
    many = TextInspection("run", "class19", classes, [(f"w{k}", 1 / 40) for k in range(40)], None)
    lines = str(many).splitlines()
    assert sum(line.lstrip().startswith("class") for line in lines) == SHOWN_CLASSES
    assert sum(line.lstrip().startswith("w") for line in lines) == SHOWN_WORDS


def test_figures_of_words_and_heads(tmp_path: Path) -> None:
    plain = TextInspection.draw([inspected(None)], tmp_path)
    assert [path.name for path in plain] == ["run-words.png"]
    both = TextInspection.draw([inspected(torch.full((1, 2, 4, 4), 0.25))], tmp_path)
    assert [path.name for path in both] == ["run-words.png", "run-heads.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in both)
