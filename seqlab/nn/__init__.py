"""Networks made of recurrences. No Lightning, no data."""
