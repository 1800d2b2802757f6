from functools import partial
from typing import NamedTuple

import pytest
import torch

from seqlab.errors import UserError
from seqlab.models import TASKS
from seqlab.models.sizes import check_fits, shapes_of, steps_of
from seqlab.text.any_codec import AnyCodec
from seqlab.text.codec import Codec
from seqlab.text.image_codec import ImageCodec
from seqlab.text.labels import Labels
from seqlab.text.points_codec import PointsCodec
from seqlab.text.series_codec import Scale, SeriesCodec

KINDS = {
    f"{task} {name}": (kind.model, network) for task, kind in TASKS.items() for name, network in kind.networks.items()
}


SCALES = {"a": Scale.none(2)}
SERIES = SeriesCodec(["x", "y"], [], [], 6, 3, 2, {}, None, None, None, SCALES, {"a": Scale.none(0)}, {"a": [1.0, 1.0]})


def codecs_of(task: str) -> dict[str, AnyCodec]:
    def of_text(*reserved: str) -> Codec:
        return Codec.build(lambda: iter(["some text\n"]), "raw", reserved=("<unk>", *reserved))

    if task == "language":
        return {"text": of_text()}
    if task == "translation":
        return {side: of_text("<pad>", "<bos>", "<eos>") for side in ("source", "target")}
    if task == "forecasting":
        return {"series": SERIES}
    if task == "regression":
        return {"points": PointsCodec(["a", "b"], "y", ["a", "b", "y"], True, Scale.none(2), Scale.none(1))}
    if task == "images":
        return {"image": ImageCodec(8, 6, "auto", None, 0.1, 0.3), "label": Labels(["a", "b", "c"])}
    if task == "tagging":
        return {"text": of_text("<pad>"), "characters": of_text("<pad>"), "label": Labels(["a", "b", "c"])}
    return {"text": of_text("<pad>"), "label": Labels(["a", "b", "c"])}


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_known_before_anything_is_made(kind: str) -> None:
    task, name = kind.split()
    model, network = KINDS[kind]
    small = {"hidden_size": 8, "embedding_size": 3, "buckets": 5, "filters": 2}
    known = [each for each in small if each in {*vars(network.made({}))}]
    options = network.made({each: small[each] for each in known})
    codecs = codecs_of(task)
    made = model.network_of(options, codecs).state_dict()
    told = shapes_of(model, options, codecs)
    assert told is not None
    assert {key: (one.shape, one.dtype) for key, one in told.items()} == {
        f"network.{key}": (one.shape, one.dtype) for key, one in made.items()
    }
    assert all(one.device.type == "meta" for one in told.values())


def test_what_fits_no_memory_is_refused_with_its_sizes() -> None:
    network, codecs = TASKS["language"].networks["gru"], codecs_of("language")
    check = partial(check_fits, TASKS["language"].model)
    check(network.made({}), codecs, 1120)
    words = r"this model has 3,\d{3},\d{3},\d{3},\d{3} parameters, .* GB with .* this machine has"
    with pytest.raises(UserError, match=words):
        check(network.made({"hidden_size": 10**6}), codecs, 1120)
    with pytest.raises(UserError, match="100,000,000,000 items"):
        check(network.made({}), codecs, 10**11)


def test_knowing_sizes_draws_nothing() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    shapes_of(TASKS["language"].model, TASKS["language"].networks["gru"].made({}), codecs_of("language"))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_steps_of_a_batch_are_those_of_its_longest_rows() -> None:
    class Batch(NamedTuple):
        source: torch.Tensor
        lengths: torch.Tensor
        targets: torch.Tensor
        continues: bool

    assert steps_of(Batch(torch.zeros(3, 5), torch.zeros(3), torch.zeros(3, 7, 2), False)) == 21
    assert steps_of([torch.zeros(4)]) == 1
