"""Files and processes of a run: folders, checkpoints, results, ranks, devices."""
