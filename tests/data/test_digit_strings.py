from typing import Any

import numpy as np
import pytest
import torch

from seqlab.data.digit_strings import DigitStrings
from seqlab.data.drawn_digits import drawn_digits
from seqlab.data.image_files import Pictures
from seqlab.data.loader import Shard
from seqlab.data.picture_text import picture_of
from seqlab.data.string_batches import Layout, Signs, StringBatch, Strings
from seqlab.errors import UserError
from seqlab.text.labels import Labels
from seqlab.text.strip import Strip

SIGNS = Signs(
    np.array([[[0, 5, 0], [0, 6, 0]], [[1, 2, 3], [0, 0, 4]], [[0, 0, 0], [0, 0, 0]]], dtype=np.uint8),
    np.array([0, 1, 2]),
)
SMALL, LARGE = drawn_digits(300, 8), drawn_digits(200, 28)


@pytest.fixture(autouse=True)
def _few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqlab.data.digit_strings.read_digits", lambda: ({"train": SMALL}, "digits"))
    parts = {"train": LARGE.at(range(150)), "test": LARGE.at(range(150, 200))}
    monkeypatch.setattr("seqlab.data.digit_strings.read_mnist", lambda root: (parts, "mnist"))


def data(**options: Any) -> DigitStrings:
    given = {"source": "digits", "strings": 50, "val_strings": 9, "test_strings": 7, "batch_size": 8, **options}
    return DigitStrings(**given)


def test_a_sign_is_what_lies_between_its_first_and_last_column_with_ink() -> None:
    assert SIGNS.starts.tolist() == [1, 0, 0]
    assert SIGNS.widths.tolist() == [1, 3, 3]  # one without ink is as wide as it is


def test_a_string_is_its_signs_side_by_side_with_gaps() -> None:
    strings = Strings(SIGNS, Layout(2, 4, 1, 3), 20, [0])
    for row, symbols in enumerate(strings.symbols()):
        picture = strings.picture(row)
        assert 2 <= len(symbols) <= 4
        assert len(picture) == strings.lengths[row]
        assert picture.sum() == sum(SIGNS.columns[symbol].sum() for symbol in symbols)
        widths = sum(SIGNS.widths[symbol] for symbol in symbols)
        assert len(symbols) + 1 <= len(picture) - widths <= 3 * (len(symbols) + 1)
        first = strings.starts[row, 0]
        assert not picture[:first].any()
    assert {len(row) for row in strings.symbols()} == {2, 3, 4}


def test_without_gaps_a_string_is_its_signs_alone() -> None:
    strings = Strings(SIGNS, Layout(3, 3, 0, 0), 5, [1])
    for row, (symbols, pictures) in enumerate(zip(strings.symbols(), strings.pictures, strict=True)):
        parts = [SIGNS.columns[p, SIGNS.starts[p] :][: SIGNS.widths[p]] for p in pictures]
        assert symbols == SIGNS.labels[pictures].tolist()
        assert np.array_equal(strings.picture(row), np.concatenate(parts))
    repeats = [sum(a == b for a, b in zip(one, one[1:], strict=False)) for one in strings.symbols()]
    assert strings.needed.tolist() == [3 + count for count in repeats]


def test_parts_are_drawn_from_pictures_of_their_own() -> None:
    made = data()
    assert [len(made.signs[split]) for split in ("train", "val", "test")] == [243, 30, 27]
    seen = [{picture.tobytes() for picture in made.signs[split].columns} for split in ("train", "val", "test")]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    mnist = data(source="mnist")
    assert [len(mnist.signs[split]) for split in ("train", "val", "test")] == [135, 15, 50]
    assert mnist.corpus_name == "mnist_strings"


def same(one: StringBatch, other: StringBatch) -> bool:
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("fresh", [True, False])
def test_batches_are_a_function_of_seed_epoch_and_index(fresh: bool) -> None:
    one, other = (data(fresh=fresh, seed=3).train_batches(Shard()) for _ in range(2))
    assert len(one) == 7
    places = [(epoch, index) for epoch in range(3) for index in range(7)]
    forward = [one.batch(*place) for place in places]
    backward = [other.batch(*place) for place in reversed(places)][::-1]
    assert all(map(same, forward, backward))
    assert not same(forward[0], data(fresh=fresh, seed=4).train_batches(Shard()).batch(0, 0))
    each = [
        {
            (item, image.sum().item())
            for b in forward[e : e + 7]
            for item, image in zip(b.items.tolist(), b.images, strict=True)
        }
        for e in (0, 7)
    ]
    assert all(len(epoch) == 50 for epoch in each)
    assert (each[0] == each[1]) != fresh


def test_processes_share_each_batch() -> None:
    whole = data().train_batches(Shard())
    halves = [data().train_batches(Shard(rank, 2)) for rank in range(2)]
    for index in range(len(halves[0])):
        items = [half.batch(1, index).items.tolist() for half in halves]
        assert sorted(sum(items, [])) == sorted(whole.batch(1, index).items.tolist())


def test_a_batch_is_padded_with_ground() -> None:
    batch = data().train_batches(Shard()).batch(0, 0)
    for image, length, target, count in zip(*batch[:4], strict=True):
        assert not image[length:].any()
        assert (target[count:] == -1).all()
        assert (target[:count] >= 0).all()
    assert batch.images.shape[1] == batch.lengths.max()
    assert 0 <= batch.images.min() <= batch.images.max() <= 1


def test_held_out_strings_are_read_once_and_do_not_change_with_the_seed() -> None:
    one, other = data(seed=1), data(seed=2)
    assert one.written("test") == other.written("test")
    assert one.written("train") != other.written("train")
    items = [item for batch in one.evaluation_loader("val") for item in batch.items.tolist()]
    assert sorted(items) == [*range(9)]
    assert not data(val_strings=0).has("val")
    with pytest.raises(UserError, match="has no val part; give --data.val_strings"):
        data(val_strings=0).evaluation_loader("val")


def test_inputs_are_the_pictures() -> None:
    made = data()
    for row, text in enumerate(made.inputs("test")):
        assert np.array_equal(picture_of(text), made.strings("test").picture(row).T)


def test_the_codecs_of_a_checkpoint_settle_the_height() -> None:
    made = data(codecs=data(source="mnist").codecs)
    assert made.signs["test"].columns.shape[2] == 28
    assert made.codecs["symbol"].names == (*"0123456789",)


def test_symbols_that_a_checkpoint_does_not_know_are_refused() -> None:
    with pytest.raises(UserError, match="pictures of 'digits_strings' show other symbols than the 01 of"):
        data(codecs={"image": Strip(8), "symbol": Labels("01")})


def test_a_recipe_makes_it_again() -> None:
    made = data(most_digits=4)
    recipe = made.recipe()
    assert recipe.pop("name") == "digit_strings"
    assert DigitStrings(**recipe).fingerprint() == made.fingerprint() != data().fingerprint()
    assert "50 new strings an epoch of 243 digits" in str(made)
    assert "3 to 4 digits, 0 to 8 columns apart" in str(made)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strings": 0}, "strings 0 must be a whole number of at least 1"),
        ({"val_strings": -1}, "val_strings -1 must be a whole number of at least 0"),
        ({"batch_size": 0}, "batch_size 0 must be a whole number of at least 1"),
        ({"least_digits": 0}, "least_digits 0 must be a whole number of at least 1"),
        ({"most_digits": 2}, "most_digits 2 must be at least least_digits 3"),
        ({"least_gap": -1}, "least_gap -1 must be a whole number of at least 0"),
        ({"least_gap": 9}, "most_gap 8 must be at least least_gap 9"),
        ({"source": "digit"}, "unknown source 'digit': did you mean 'digits'?"),
    ],
    ids=str,
)
def test_bad_values_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        data(**options)
    assert str(caught.value) == words


def test_a_picture_without_ink_is_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    blank = Pictures(np.zeros((20, 8, 8), np.uint8), [*"01"] * 10, [""] * 20)
    monkeypatch.setattr("seqlab.data.digit_strings.read_digits", lambda: ({"train": blank}, "digits"))
    assert data().strings("val").lengths.min() >= 24
