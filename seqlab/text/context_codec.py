"""Words <-> ids of a language model that reads them as context, and the structure of its network."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from seqlab.text.codec import Codec
from seqlab.text.vocab import UNK


class ContextCodec:
    """Words of any text as ids of a language model, by the model's own cleaning and vocabulary.

    Args:
        text: Codec of the language model.
        network: Kind of its network, a name of ``seqlab.nn.contextual.READERS``.
        options: Options of its network, as plain values.
    """

    def __init__(self, text: Codec, network: str, options: Mapping[str, Any]) -> None:
        self.text, self.network, self.options = text, network, dict(options)

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.text.vocab_size

    def ids(self, words: Iterable[str]) -> list[int]:
        """The id of each word, ``<unk>`` if it is not exactly one token.

        A word with capitals that the language model lacks has the id of its lower-case form (Lample et al. 2016).
        """
        return self.text.vocab.ids(self._token(word) for word in words)

    def _token(self, word: str) -> str:
        for form in (word, word.lower()):
            tokens = self.text.words(form)
            if len(tokens) == 1 and tokens[0] in self.text.vocab:
                return tokens[0]
        return UNK

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds this codec from."""
        return {"kind": "context", "text": self.text.state(), "network": self.network, "options": self.options}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The codec that gave this state.

        Raises:
            UserError: It names an unknown cleaning or tokenizer.
        """
        return cls(Codec.from_state(state["text"]), state["network"], state["options"])
