"""What a run leaves and is gone on with: folders, checkpoints, results, ranks, devices."""
