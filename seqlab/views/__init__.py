"""What a model shows of itself in TensorBoard."""
