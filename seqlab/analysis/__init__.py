"""Analysis of trained models: gradients through time, gates, units, attention, neighbours, as numbers and figures."""
