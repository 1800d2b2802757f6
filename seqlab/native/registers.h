// What compilers keep in registers.
#pragma once

// Keeps a vector that several products read in a register. Without it GCC reads it from memory for each of them, and the
// products wait for the loads.
template <class V>
__attribute__((always_inline)) inline void keep(V& v) {
#ifdef __AVX__
    asm("" : "+v"(v));
#endif
}
