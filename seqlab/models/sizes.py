"""How large a network is, before any of it is made."""

from collections.abc import Mapping

import torch
from torch import Tensor

from seqlab.options import Options
from seqlab.text.codec import Codec
from seqlab.text.labels import Labels


def shapes_of(options: Options, codecs: Mapping[str, Codec | Labels]) -> dict[str, Tensor]:
    """The weights of a model by name, as tensors that have shapes and types but no memory.

    Args:
        options: Of its network.
        codecs: In the order in which the network takes their sizes.
    """
    with torch.device("meta"):
        network = options.build(*(codec.vocab_size for codec in codecs.values()))
    return {f"network.{name}": weights for name, weights in network.state_dict().items()}
