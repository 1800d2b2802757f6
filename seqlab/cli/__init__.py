"""From a command line to data, model and trainer."""
