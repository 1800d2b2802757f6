"""Callbacks that show a model's behaviour in TensorBoard."""
