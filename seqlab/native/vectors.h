// Vectors of numbers, as long as the processor's or as LANE_BYTES says, and functions of them. Without instructions of
// one processor, so that every compiler takes them.
#pragma once
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "share.h"

#ifndef LANE_BYTES
#ifdef __AVX512F__
#define LANE_BYTES 64
#else
#define LANE_BYTES 32
#endif
#endif

#define INLINED __attribute__((always_inline))
#define INLINE inline INLINED

constexpr long WIDTH = LANE_BYTES;  // bytes that are worked on at a time

template <class Number>
struct Vector {
    static constexpr long LANES = WIDTH / sizeof(Number);
    typedef Number V __attribute__((vector_size(WIDTH)));
};

template <class Number>
INLINE typename Vector<Number>::V load(const Number* from) {
    typename Vector<Number>::V v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class Number>
INLINE void store(Number* to, typename Vector<Number>::V v) {
    std::memcpy(to, &v, sizeof v);
}

// A matrix (rows, size) with rows as long as whole vectors, filled with a number.
template <class Number>
struct Padded {
    long pitch;
    std::vector<Number> numbers;

    Padded(long rows, long size, Number fill)
        : pitch(rounded_up(size, Vector<Number>::LANES)), numbers(rows * pitch, fill) {}
    Number* row(long at) { return &numbers[at * pitch]; }
};

// Asks for a row of numbers that is read soon. Compilers drop calls of functions that do nothing else, so that every
// such function is inlined.
template <class Number>
INLINE void fetch(const Number* row, long size) {
    constexpr long LINE = 64 / sizeof(Number);
    for (long at = 0; at < size; at += LINE) __builtin_prefetch(row + at);
}

constexpr long LANES = Vector<float>::LANES;
using V = Vector<float>::V;
using Int = Vector<int32_t>::V;

constexpr float NOTHING = -std::numeric_limits<float>::infinity();

INLINE V splat(float x) { return x - V{}; }

INLINE V larger(V a, V b) { return a > b ? a : b; }

INLINE float largest(V v) {
    float most = v[0];
    for (long i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
}

// From the first to the last.
INLINE float sum(V v) {
    float total = 0;
    for (long i = 0; i < LANES; i++) total += v[i];
    return total;
}

INLINE V clamp(V x, float least, float most) {
    x = x < least ? splat(least) : x;
    return x > most ? splat(most) : x;
}

// e^x by Cephes' expf: x = k ln 2 + r, and a polynomial of degree 7 for e^r; x from -87 to 88.
INLINE V exponential(V x) {
    const float magic = 12582912.f;  // 1.5 * 2^23: adding it rounds to a whole number
    V k = x * 1.44269504f + magic;
    const Int bits = ((Int)k + 127) << 23;
    k -= magic;
    V r = x - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    return p * (V)bits;
}

// Less than e^-87 counts as zero.
INLINE V exponential_of_negative(V x) {
    constexpr float SMALLEST = -87;
    return x < SMALLEST ? V{} : exponential(x < SMALLEST ? splat(SMALLEST) : x);
}
