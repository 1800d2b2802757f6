"""Characters <-> ids: clean, tokenize, number. Imports no torch."""
