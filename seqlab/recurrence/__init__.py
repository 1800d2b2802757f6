"""A cell over time: stacks, the scan and who else runs it, lengths, dropout, connections, initial weights."""
