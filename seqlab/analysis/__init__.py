"""What a trained recurrence does: gradients through time, gates, units, neighbours; measured, not yet drawn."""
