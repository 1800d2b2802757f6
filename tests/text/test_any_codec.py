import pytest

from seqlab.text.any_codec import KINDS, AnyCodec, codec_of
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels
from seqlab.text.strip import Strip


@pytest.mark.parametrize("codec", [Codec.build(["a"].__iter__, "raw", "char", 1), Labels(["a", "b"]), Strip(8)])
def test_a_codec_of_its_kind_from_its_state(codec: AnyCodec) -> None:
    again = codec_of(codec.state())
    assert type(again) is type(codec)
    assert again.state() == codec.state()


def test_every_kind_but_text_has_a_name() -> None:
    assert {*KINDS.values(), Codec} == {*AnyCodec.__args__}
