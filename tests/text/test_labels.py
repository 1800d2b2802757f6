import pytest

from seqlab.text.labels import Labels


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["pos", "neg", "pos"], ("neg", "pos")),
        (["10", "9", "-1", "9"], ("-1", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),
        (["LOC:city", "ABBR:exp", "LOC:other"], ("ABBR:exp", "LOC:city", "LOC:other")),
        ([], ()),
    ],
    ids=str,
)
def test_classes_are_sorted_and_as_numbers_where_all_are(labels: list[str], names: tuple[str, ...]) -> None:
    made = Labels.build(labels)
    assert made.names == names
    assert made.vocab_size == len(made) == len(names)
    assert made.ids(names) == list(range(len(names)))


def test_an_unseen_label_has_no_id_of_a_class() -> None:
    made = Labels.build(["b", "a"])
    assert made.ids(["a", "c", "b", ""]) == [0, -1, 1, -1]
    assert "a" in made
    assert "c" not in made


def test_numbers_that_are_equal_but_written_differently_stay_two() -> None:
    assert sorted(Labels.build(["1", "01", "2"]).names) == ["01", "1", "2"]
    assert Labels.build(["01", "1"]).names == Labels.build(["1", "01"]).names


def test_state_is_plain_and_gives_the_classes_back() -> None:
    made = Labels.build(["10", "9"])
    assert made.state() == {"kind": "labels", "names": ["9", "10"]}
    assert Labels.from_state(made.state()).ids(["10", "9"]) == [1, 0]
