"""A cell over time: stacks, scan and other backends, lengths, dropout, connections, initialization."""
