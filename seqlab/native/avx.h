// Functions of vectors of floats by instructions of AVX2 or AVX-512, and what gates are made of.
#pragma once
#include <immintrin.h>

#include "vectors.h"

using Bits = Vector<uint32_t>::V;

// Keeps a vector that several products read in a register. Without it GCC reads it from memory for each of them, and
// they wait for the loads.
INLINE void keep(V& v) { asm("" : "+v"(v)); }

// The first `lanes` floats; the others are zero, are not written, or are `value`. And x * y + z rounded once, whatever
// the compiler makes of the loop around it; the sum of halves, of their halves and so on; and 1 / x.
#ifdef __AVX512F__
INLINE V load(const float* from, int lanes) {
    return (V)_mm512_maskz_loadu_ps(__mmask16((1u << lanes) - 1), from);
}

INLINE void store(float* to, V v, int lanes) {
    _mm512_mask_storeu_ps(to, __mmask16((1u << lanes) - 1), (__m512)v);
}

INLINE V otherwise(V v, int lanes, float value) {
    return (V)_mm512_mask_mov_ps((__m512)splat(value), __mmask16((1u << lanes) - 1), (__m512)v);
}

INLINE V fused(float x, V y, V z) { return (V)_mm512_fmadd_ps((__m512)splat(x), (__m512)y, (__m512)z); }

INLINE float sum_pairwise(V v) { return _mm512_reduce_add_ps((__m512)v); }

// From 14 bits and one step of Newton's, a fifth of the time of a division.
INLINE V reciprocal(V x) {
    V guess = (V)_mm512_rcp14_ps((__m512)x);
    return guess + guess * (1.f - x * guess);
}
#else
INLINE Int first(int lanes) { return Int{0, 1, 2, 3, 4, 5, 6, 7} < lanes; }

INLINE V load(const float* from, int lanes) {
    return lanes == LANES ? load(from) : (V)_mm256_maskload_ps(from, (__m256i)first(lanes));
}

INLINE void store(float* to, V v, int lanes) {
    if (lanes == LANES) store(to, v);
    else _mm256_maskstore_ps(to, (__m256i)first(lanes), (__m256)v);
}

INLINE V otherwise(V v, int lanes, float value) { return first(lanes) ? v : splat(value); }

INLINE V fused(float x, V y, V z) { return (V)_mm256_fmadd_ps((__m256)splat(x), (__m256)y, (__m256)z); }

INLINE float sum_pairwise(V v) {
    v += __builtin_shuffle(v, Int{4, 5, 6, 7});
    v += __builtin_shuffle(v, Int{2, 3});
    return v[0] + v[1];
}

INLINE V reciprocal(V x) { return 1.f / x; }
#endif

INLINE V exp(V x) { return exponential(clamp(x, -87.f, 88.f)); }

INLINE V sigmoid(V x) { return reciprocal(1.f + exp(-x)); }

// Eigen's rational approximation, exact to a few units in the last place, also near zero.
INLINE V tanh(V x) {
    x = clamp(x, -7.90531110763549805f, 7.90531110763549805f);
    V s = x * x;
    V p = s * -2.76076847742355e-16f + 2.00018790482477e-13f;
    p = p * s - 8.60467152213735e-11f;
    p = p * s + 5.12229709037114e-08f;
    p = p * s + 1.48572235717979e-05f;
    p = p * s + 6.37261928875436e-04f;
    p = p * s + 4.89352455891786e-03f;
    V q = s * 1.19825839466702e-06f + 1.18534705686654e-04f;
    q = q * s + 2.26843463243900e-03f;
    q = q * s + 4.89352518554385e-03f;
    return x * p * reciprocal(q);
}

INLINE V d_sigmoid(V y) { return y * (1.f - y); }
INLINE V d_tanh(V y) { return 1.f - y * y; }
