// Vectors of a fixed number of bytes, without instructions of one processor, so that every compiler takes them.
#pragma once
#include <cstring>
#include <vector>

#include "share.h"

#ifndef LANE_BYTES
#define LANE_BYTES 32
#endif

constexpr long WIDTH = LANE_BYTES;  // bytes that are worked on at a time

template <class Number>
struct Block {
    static constexpr long LANES = WIDTH / sizeof(Number);
    typedef Number V __attribute__((vector_size(WIDTH)));

    static void load(V& v, const Number* from) { std::memcpy(&v, from, sizeof v); }
    static void store(Number* to, const V& v) { std::memcpy(to, &v, sizeof v); }
    static long padded(long size) { return divided(size, LANES) * LANES; }
};

// A matrix (rows, size) with rows as long as whole blocks, filled with a number.
template <class Number>
struct Padded {
    long pitch;
    std::vector<Number> numbers;

    Padded(long rows, long size, Number fill) : pitch(Block<Number>::padded(size)), numbers(rows * pitch, fill) {}
    Number* row(long at) { return &numbers[at * pitch]; }
};

// Asks for a row of numbers that is read soon. Compilers drop calls of functions that do nothing else, so that every
// such function is inlined.
template <class Number>
[[gnu::always_inline]] inline void fetch(const Number* row, long size) {
    constexpr long LINE = 64 / sizeof(Number);
    for (long at = 0; at < size; at += LINE) __builtin_prefetch(row + at);
}
