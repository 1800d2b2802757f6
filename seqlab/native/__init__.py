"""The recurrences of ``seqlab.cells`` as compiled code, for machines with AVX-512 and a C++ compiler."""
