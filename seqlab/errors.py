"""The only kind of error that a user sees: a sentence with the value, the rule and the way out."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches


class UserError(Exception):
    """An input of the user, or the content of a file, is wrong.

    The message is one sentence. A verb prints it on stderr and exits with code 2, without a traceback.
    """


class NoPartError(UserError):
    """A corpus has nothing in a part, such as ``test``."""


def nearest(name: str, options: Iterable[str]) -> str:
    """The way out of a misspelt name: the closest option, or all options.

    Args:
        name: The typed name.
        options: The valid names.

    Returns:
        ``did you mean 'gru'?`` or ``choose one of gru, lstm, rnn``.
    """
    known, typed = sorted(options), name.lower()
    close = get_close_matches(typed, known, n=3, cutoff=0.5)
    if not close:
        return f"choose one of {', '.join(known)}"
    best = max(close, key=lambda option: (SequenceMatcher(None, option, typed).ratio(), option[0] == typed[0]))
    return f"did you mean '{best}'?"


def nearest_spelling(word: str, words: Iterable[str]) -> str | None:
    """The way out of an unknown word among many: ``did you mean 'queen'?``, or None if no word is close."""
    close = get_close_matches(word, [*words], n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else None


def reason_of(error: BaseException) -> str:
    """The message of an error, as part of a sentence."""
    numbered = isinstance(error, OSError | ArithmeticError) and len(error.args) > 1
    text = str(error.args[1]) if numbered else str(error) or type(error).__name__
    return " ".join(text.split()).lower()
