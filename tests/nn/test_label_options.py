import pytest

from seqlab.errors import UserError
from seqlab.nn.label_options import LabelOptions


@pytest.mark.parametrize("value", [{"label_smoothing": 1.0}, {"threshold": 0.0}, {"class_weights": "odd"}])
def test_values_have_bounds(value: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(value))):
        LabelOptions.from_plain(value)
