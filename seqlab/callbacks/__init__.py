"""What is watched and kept while training."""
