from seqlab.text.any_codec import codec_of
from seqlab.text.image_codec import ImageCodec


def test_a_codec_is_rebuilt_from_plain_values() -> None:
    codec = ImageCodec(2, 3, "rows", [5, 4, 3, 2, 1, 0], 0.1, 0.3)
    assert codec_of(codec.state()) == codec
    assert codec.vocab_size == 6
