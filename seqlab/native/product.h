// Products of a few rows with a matrix that stays the same from step to step.
#pragma once
#include <utility>

#include "avx.h"

constexpr long DEPTH = 128;      // rows of a panel that lie in the first cache while all operands pass over them
constexpr long ROWS = 64;        // operands whose sums are held at once
constexpr int TILE = LANES / 2;  // operands whose sums are held in registers, for up to three columns of vectors

// sums[r][n] (+)= a[r] @ panel[:, n], with the panel as (depth, N, LANES). Meanwhile `ahead` is fetched.
template <int R, int N>
INLINE void tile(const float* a, long stride, const float* panel, long depth, V* sums, long pitch, bool first,
                 const float* ahead) {
    V acc[R][N];
    for (int r = 0; r < R; r++)
        for (int n = 0; n < N; n++) acc[r][n] = first ? V{} : sums[r * pitch + n];
    for (long k = 0; k < depth; k++) {
        __builtin_prefetch(ahead + k * LANES);
        V b[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) b[n] = load(panel + (k * N + n) * LANES), keep(b[n]);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            float x = a[r * stride + k];
#pragma GCC unroll 4
            for (int n = 0; n < N; n++) acc[r][n] = fused(x, b[n], acc[r][n]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int n = 0; n < N; n++) sums[r * pitch + n] = acc[r][n];
}

template <int N>
void tiles(const float* a, long stride, long rows, const float* panel, long depth, V* sums, long pitch, bool first) {
    const float* ahead = panel + depth * N * LANES;
    auto next = [&]() { return std::exchange(ahead, ahead + depth * LANES); };
    long r = 0;
    for (; r + TILE <= rows; r += TILE)
        tile<TILE, N>(a + r * stride, stride, panel, depth, sums + r * pitch, pitch, first, next());
    for (; r + 2 <= rows; r += 2)
        tile<2, N>(a + r * stride, stride, panel, depth, sums + r * pitch, pitch, first, next());
    if (r < rows) tile<1, N>(a + r * stride, stride, panel, depth, sums + r * pitch, pitch, first, next());
}

// Columns as panels of three vectors, or of two where one would be left over.
template <class Do>
void each_panel(long columns, Do with) {
    for (long column = 0, count; column < columns; column += count) {
        count = columns - column == 4 ? 2 : std::min(3L, columns - column);
        with(column, count);
    }
}

// sums[row] = a[row] @ packed, so many vectors each, for panels one behind the other.
inline void product(const float* a, long stride, long rows, const float* packed, long depth, V* sums, long columns) {
    each_panel(columns, [&](long column, long count) {
        const auto apply = count == 3 ? tiles<3> : count == 2 ? tiles<2> : tiles<1>;
        const float* panel = packed + column * LANES * depth;
        for (long k = 0; k < depth; k += DEPTH)
            apply(a + k, stride, rows, panel + k * count * LANES, std::min(DEPTH, depth - k), sums + column, columns,
                  k == 0);
    });
}
