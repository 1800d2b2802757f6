"""Codecs of every kind, and a codec from its state."""

from collections.abc import Mapping
from typing import Any

from seqlab.text.codec import Codec
from seqlab.text.context_codec import ContextCodec
from seqlab.text.image_codec import ImageCodec
from seqlab.text.labels import Labels
from seqlab.text.points_codec import PointsCodec
from seqlab.text.series_codec import SeriesCodec
from seqlab.text.strip import Strip

AnyCodec = Codec | Labels | SeriesCodec | PointsCodec | ImageCodec | Strip | ContextCodec
"""Whatever says what the numbers of a model stand for."""

KINDS: dict[object, type[AnyCodec]] = {
    "labels": Labels,
    "series": SeriesCodec,
    "points": PointsCodec,
    "image": ImageCodec,
    "strip": Strip,
    "context": ContextCodec,
}
"""Codecs by the kind in their state; states of text have none."""


def codec_of(state: Mapping[str, Any]) -> AnyCodec:
    """The codec, of whatever kind, that gave this state.

    Raises:
        UserError: It names something unknown.
    """
    return KINDS.get(state.get("kind"), Codec).from_state(state)
