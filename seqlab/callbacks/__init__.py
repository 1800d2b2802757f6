"""Callbacks that log training and write checkpoints."""
