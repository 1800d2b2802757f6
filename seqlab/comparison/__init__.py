"""Comparisons: a grid of runs, each a process of its own, and what they reached as a table and figures."""
