"""Compiled code under cells, layers and decoding: some for machines with AVX2, some for any with a C++ compiler."""
