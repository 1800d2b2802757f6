"""The recurrences of ``seqlab.cells`` as compiled code, for processors that have AVX-512 and a C++ compiler at hand."""
