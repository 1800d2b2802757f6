"""The casing of a word: its capitals, digits and marks."""

CASINGS = ("", "lower", "Title", "UPPER", "I", "miXed", "12", "a1", "1,5", "a-b", ".")
"""An example word of each kind; the index is the number of the kind, 0 is padding."""


def casing_of(word: str) -> int:
    """The casing of a word, as an index into ``CASINGS``."""
    if not any(sign.isalnum() for sign in word):
        return 10
    if any(sign.isdigit() for sign in word):
        if word.isdigit():
            return 6
        return 7 if any(sign.isalpha() for sign in word) else 8
    if not word.isalpha() and "'" not in word and "’" not in word:
        return 9
    if word == word.lower():
        return 1
    if word == word.upper():
        return 4 if len(word) == 1 else 3
    return 2 if word[0].isupper() and word[1:] == word[1:].lower() else 5
