from functools import partial
from typing import Any

import pytest
import torch

from seqlab.cli.objects import in_python, python_words, split_objects
from seqlab.errors import UserError


class Mine:
    """Something that no command line can spell."""


def test_optimizers_of_torch_become_names() -> None:
    assert split_objects({"optimizer": torch.optim.SGD}) == ({"optimizer": {"name": "sgd"}}, {})
    made = partial(torch.optim.AdamW, lr=0.5, betas=(0.1, 0.2))
    assert split_objects({"optimizer": made})[0] == {"optimizer": {"name": "adamw", "lr": 0.5, "betas": [0.1, 0.2]}}


def test_other_optimizers_stay_as_they_are() -> None:
    def own(parameters: Any) -> Any: ...

    assert split_objects({"optimizer": own}) == ({}, {"optimizer": own})


def test_objects_of_a_trainer_go_beside_its_plain_values() -> None:
    callback = Mine()
    plain, objects = split_objects({"trainer": {"max_epochs": 3, "callbacks": [callback], "logger": callback}})
    assert plain == {"trainer": {"max_epochs": 3}}
    assert objects == {"callbacks": [callback], "logger": callback}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("give --trainer.max_epochs, or --run", 'give trainer["max_epochs"], or run'),
        ("unknown option --model.hiden_size: did you mean", 'unknown option model["hiden_size"]: did you mean'),
    ],
)
def test_messages_speak_python(said: str, meant: str) -> None:
    assert python_words(said) == meant
    with pytest.raises(UserError) as caught, in_python():
        raise UserError(said)
    assert str(caught.value) == meant
