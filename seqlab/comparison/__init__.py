"""Comparisons: a grid of runs, each in a separate process, and their results as a table and figures."""
