"""Logits -> ids -> text, over any step function."""
