"""Compiled code under cells, layers and decoding: some for machines with AVX-512, some for any with a C++ compiler."""
