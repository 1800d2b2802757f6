// Products of matrices that fit in the first cache, and of rows.
#pragma once
#include "floats.h"

// c[i][j] (+)= sum over p of a[i * a_row + p * a_step] b[p][j], of a few rows and lanes.
template <int ROWS, int WIDE>
inline void tile(const float* a, long a_row, long a_step, const float* b, long b_pitch, float* c, long c_pitch,
                 long inner, bool add) {
    V sums[ROWS][WIDE] = {}, own[WIDE];
    for (long p = 0; p < inner; p++) {
#pragma GCC unroll 6
        for (int w = 0; w < WIDE; w++) Floats::load(own[w], b + p * b_pitch + w * LANES);
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
        for (int w = 0; w < WIDE; w++) {
            V before = {};
            if (add) Floats::load(before, c + r * c_pitch + w * LANES);
            Floats::store(c + r * c_pitch + w * LANES, before + sums[r][w]);
        }
}

template <int ROWS>
void stripe(const float* a, long a_row, long a_step, const float* b, long b_pitch, float* c, long c_pitch, long inner,
            long columns, bool add) {
    long at = 0;
    for (; at + 2 * LANES <= columns; at += 2 * LANES)
        tile<ROWS, 2>(a, a_row, a_step, b + at, b_pitch, c + at, c_pitch, inner, add);
    if (at < columns) tile<ROWS, 1>(a, a_row, a_step, b + at, b_pitch, c + at, c_pitch, inner, add);
}

// c = a b, or c += a b, of matrices whose rows are as long as whole lanes; those of a lie as its steps say. Six rows and
// two lanes at a time fill the registers; fewer than four rows leave them idle.
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
    V total = {}, x, y;
    for (long at = 0; at < pitch; at += LANES) {
        Floats::load(x, a + at), Floats::load(y, b + at);
        total += x * y;
    }
    float sum = 0;
    for (long i = 0; i < LANES; i++) sum += total[i];
    return sum;
}

// to += factor * from
inline void add(float* to, float factor, const float* from, long size) {
    V x, y;
    long at = 0;
    for (; at + LANES <= size; at += LANES) {
        Floats::load(x, to + at), Floats::load(y, from + at);
        Floats::store(to + at, x + factor * y);
    }
    for (; at < size; at++) to[at] += factor * from[at];
}
