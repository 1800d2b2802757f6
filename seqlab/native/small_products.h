// Products of matrices that fit in the first cache, and of rows.
#pragma once
#include "vectors.h"

// to = v, or to += v
inline void put(float* to, V v, bool add) { store(to, (add ? load(to) : V{}) + v); }

// c[i][j] (+)= sum over p of a[i * a_row + p * a_step] b[p][j], of a few rows and vectors.
template <int ROWS, int WIDE>
inline void tile(const float* a, long a_row, long a_step, const float* b, long b_pitch, float* c, long c_pitch,
                 long inner, bool add) {
    V sums[ROWS][WIDE] = {}, own[WIDE];
    for (long p = 0; p < inner; p++) {
#pragma GCC unroll 6
        for (int w = 0; w < WIDE; w++) own[w] = load(b + p * b_pitch + w * LANES);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            const float x = a[r * a_row + p * a_step];
#pragma GCC unroll 6
            for (int w = 0; w < WIDE; w++) sums[r][w] += x * own[w];
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 6
        for (int w = 0; w < WIDE; w++) put(c + r * c_pitch + w * LANES, sums[r][w], add);
}

template <int ROWS>
void stripe(const float* a, long a_row, long a_step, const float* b, long b_pitch, float* c, long c_pitch, long inner,
            long columns, bool add) {
    long at = 0;
    for (; at + 2 * LANES <= columns; at += 2 * LANES)
        tile<ROWS, 2>(a, a_row, a_step, b + at, b_pitch, c + at, c_pitch, inner, add);
    if (at < columns) tile<ROWS, 1>(a, a_row, a_step, b + at, b_pitch, c + at, c_pitch, inner, add);
}

// c = a b, or c += a b, of matrices whose rows are as long as whole vectors; those of a lie as its steps say. Six rows
// and two vectors at a time fill the registers; fewer than four rows leave them idle.
inline void multiply(const float* a, long a_row, long a_step, const float* b, long b_pitch, float* c, long c_pitch,
                     long rows, long inner, long columns, bool add = false) {
    long row = 0;
    for (; row + 6 <= rows && row + 8 != rows; row += 6)
        stripe<6>(a + row * a_row, a_row, a_step, b, b_pitch, c + row * c_pitch, c_pitch, inner, columns, add);
    for (; row + 4 <= rows; row += 4)
        stripe<4>(a + row * a_row, a_row, a_step, b, b_pitch, c + row * c_pitch, c_pitch, inner, columns, add);
    for (; row + 2 <= rows; row += 2)
        stripe<2>(a + row * a_row, a_row, a_step, b, b_pitch, c + row * c_pitch, c_pitch, inner, columns, add);
    for (; row < rows; row++)
        stripe<1>(a + row * a_row, a_row, a_step, b, b_pitch, c + row * c_pitch, c_pitch, inner, columns, add);
}

inline float dot(const float* a, const float* b, long pitch) {
    V total = {};
    for (long at = 0; at < pitch; at += LANES) total += load(a + at) * load(b + at);
    return sum(total);
}

// to += factor * from
inline void add(float* to, float factor, const float* from, long size) {
    long at = 0;
    for (; at + LANES <= size; at += LANES) store(to + at, load(to + at) + factor * load(from + at));
    for (; at < size; at++) to[at] += factor * from[at];
}
