"""Tokens <-> ids."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from seqlab.errors import UserError
from seqlab.files import read_regular, whole_file

UNK, PAD, BOS, EOS = "<unk>", "<pad>", "<bos>", "<eos>"


class Vocab:
    """A vocabulary: ``<unk>`` has id 0, then the other reserved tokens, then all others, the most frequent first.

    Equally frequent tokens are in alphabetical order, so that equal counts always give equal ids.

    Args:
        counts: Occurrences of each token; a token with the name of a reserved token keeps that token's id.
        min_freq: Tokens with fewer occurrences get no id of their own.
        reserved: Tokens that always have ids.
    """

    def __init__(self, counts: Mapping[str, int], min_freq: int = 0, reserved: Sequence[str] = (UNK,)) -> None:
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        self._number((UNK, *reserved), {token: count for token, count in ranked if count >= min_freq})

    @classmethod
    def in_order(cls, tokens: Iterable[str], reserved: Sequence[str] = (UNK,)) -> Self:
        """A vocabulary with tokens in the given order after the reserved ones, without counts."""
        vocab = cls.__new__(cls)
        vocab._number((UNK, *reserved), dict.fromkeys(tokens, 0))
        return vocab

    def _number(self, reserved: Iterable[str], counts: Mapping[str, int]) -> None:
        self.reserved: tuple[str, ...] = tuple(dict.fromkeys(reserved))
        self.frequencies: list[tuple[str, int]] = [item for item in counts.items() if item[0] not in self.reserved]
        self._tokens = [*self.reserved, *(token for token, _ in self.frequencies)]
        self._ids = {token: index for index, token in enumerate(self._tokens)}

    @property
    def unk(self) -> int:
        """The id of every token that has no id of its own."""
        return 0

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __getitem__(self, tokens: str | Sequence[Any]) -> Any:
        """The id of a token, or the ids of nested sequences of tokens; 0 for unknown ones."""
        if isinstance(tokens, str):
            return self._ids.get(tokens, self.unk)
        return [self[token] for token in tokens]

    def ids(self, tokens: Iterable[str]) -> list[int]:
        """The ids of a flat sequence of tokens, like ``vocab[list(tokens)]`` but faster."""
        get, unk = self._ids.get, self.unk
        return [get(token, unk) for token in tokens]

    def id_of(self, token: str) -> int:
        """The id of a token that must have one, such as ``<pad>``.

        Raises:
            LookupError: The token has no id.
        """
        if token not in self._ids:
            raise LookupError(f"the vocabulary has no token '{token}'; reserved are {', '.join(self.reserved)}")
        return self._ids[token]

    def tokens(self, ids: Any) -> Any:
        """The token of an id, or the tokens of nested sequences or an array of ids.

        Raises:
            IndexError: An id is not in this vocabulary.
        """
        if isinstance(ids, np.ndarray | np.integer):
            ids = ids.tolist()
        if not isinstance(ids, int):
            known, most = self._tokens, len(self._tokens)
            return [known[each] if type(each) is int and 0 <= each < most else self.tokens(each) for each in ids]
        if not 0 <= ids < len(self):
            raise IndexError(f"id {ids} is not in this vocabulary; its ids are 0 to {len(self) - 1}")
        return self._tokens[ids]

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds this vocabulary from."""
        return {
            "reserved": list(self.reserved),
            "tokens": [token for token, _ in self.frequencies],
            "counts": [count for _, count in self.frequencies],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The vocabulary that gave this state."""
        vocab = cls.__new__(cls)
        vocab._number(state["reserved"], dict(zip(state["tokens"], state["counts"], strict=True)))
        return vocab

    def save(self, path: str | Path) -> None:
        """Writes a JSON file, completely or not at all.

        Raises:
            UserError: The file cannot be written.
        """
        try:
            with whole_file(Path(path)) as file:
                file.write(json.dumps(self.state()).encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(
                f"cannot save the vocabulary to {path}: {reason}; name a file in a folder that exists"
            ) from None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Reads a file of ``save``.

        Raises:
            UserError: The file is missing, unreadable or holds no vocabulary.
        """
        try:
            state = json.loads(read_regular(path))
            _check_state(state)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"cannot read the vocabulary {path}: {reason}; name a file that Vocab.save wrote") from None
        except ValueError:
            raise UserError(f"{path} holds no vocabulary or a damaged one; write it again with Vocab.save") from None
        return cls.from_state(state)


def _check_state(state: object) -> None:
    kinds = {"reserved": str, "tokens": str, "counts": int}
    if not isinstance(state, dict) or state.keys() != kinds.keys():
        raise ValueError("keys")
    for key, kind in kinds.items():
        if not isinstance(state[key], list) or not all(isinstance(value, kind) for value in state[key]):
            raise ValueError(key)
    names = state["reserved"] + state["tokens"]
    if state["reserved"][:1] != [UNK] or len(set(names)) < len(names) or len(state["tokens"]) != len(state["counts"]):
        raise ValueError("numbering")
