"""Class labels <-> ids."""

from collections.abc import Iterable, Mapping
from typing import Any, Self


class Labels:
    """The classes of a training part, numbered from 0; unlike tokens they have no ``<unk>``.

    Args:
        names: The classes in the order of their ids.
        separator: Separator between several labels of a text; None if each text has one label.
        scheme: Scheme of spans, a name of ``SCHEMES``; None if the labels mark no spans.

    Attributes:
        UNSEEN: The id of every label that is not a class; no prediction equals it.
    """

    UNSEEN = -1

    def __init__(self, names: Iterable[str], separator: str | None = None, scheme: str | None = None) -> None:
        self.names, self.separator, self.scheme = tuple(names), separator, scheme
        self._ids = {name: index for index, name in enumerate(self.names)}

    @classmethod
    def build(cls, labels: Iterable[str], separator: str | None = None) -> Self:
        """The distinct labels of a training part, sorted; numerically if all are whole numbers."""
        names = sorted(set(labels))
        try:
            return cls(sorted(names, key=int), separator)
        except ValueError:
            return cls(names, separator)

    @property
    def vocab_size(self) -> int:
        """Number of classes."""
        return len(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, label: object) -> bool:
        return label in self._ids

    def ids(self, labels: Iterable[str]) -> list[int]:
        """The id of each label, ``UNSEEN`` for labels that the training part did not have."""
        return [self._ids.get(label, self.UNSEEN) for label in labels]

    def state(self) -> dict[str, object]:
        """Plain values that ``from_state`` rebuilds these classes from."""
        state: dict[str, object] = {"kind": "labels", "names": list(self.names)}
        more = {"separator": self.separator, "scheme": self.scheme}
        return {**state, **{name: value for name, value in more.items() if value is not None}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The classes that gave this state."""
        return cls(state["names"], state.get("separator"), state.get("scheme"))
