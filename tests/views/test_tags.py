from seqlab.views.tags import SHOWN, listed


def test_wrong_words_are_marked_with_both_tags() -> None:
    items = {"text": ["a b*c", "d e"], "label": ["X B-y", "X X"], "predicted": ["X O", "X X"]}
    assert listed(items) == "a **b&#42;c** (B-y, predicted O)"


def test_few_sentences_are_listed() -> None:
    many = {"text": ["a"] * 50, "label": ["X"] * 50, "predicted": ["Y"] * 50}
    assert len(listed(many).split("\n\n")) == SHOWN
    assert listed({"text": ["a"], "label": ["X"], "predicted": ["X"]}) == "no wrong tag"
