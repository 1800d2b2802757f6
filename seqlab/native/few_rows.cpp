// Products of a few rows with a matrix that is read once, as torch's linear layers keep it. Mirrored by
// seqlab/native/few_rows.py.
#include "vectors.h"

// to[r * pitch + c] = a[r] . b[c]
template <int ROWS, int COLUMNS>
static void products(const float* a, const float* b, long depth, float* to, long pitch) {
    V sums[ROWS][COLUMNS] = {};
    for (long at = 0; at < depth; at += LANES) {
        V own[COLUMNS];
#pragma GCC unroll 2
        for (int c = 0; c < COLUMNS; c++) own[c] = load(b + c * depth + at);
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++) {
            const V x = load(a + r * depth + at);
#pragma GCC unroll 2
            for (int c = 0; c < COLUMNS; c++) sums[r][c] += x * own[c];
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) to[r * pitch + c] = sum(sums[r][c]);
}

using Products = void (*)(const float*, const float*, long, float*, long);
template <int COLUMNS>
constexpr Products OF_ROWS[] = {products<1, COLUMNS>, products<2, COLUMNS>, products<3, COLUMNS>,
                                products<4, COLUMNS>, products<5, COLUMNS>, products<6, COLUMNS>};

// to (rows, columns) = a (rows, depth) b^T with b (columns, depth); the depth is whole vectors. Two columns together,
// so that what is loaded of a row serves both.
extern "C" void multiply_few(const float* a, const float* b, float* to, int64_t rows, int64_t depth, int64_t columns,
                             int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(columns, 2);
        for (long column = mine.first; column < mine.last; column += 2) {
            const auto with = (column + 2 <= mine.last ? OF_ROWS<2> : OF_ROWS<1>)[rows - 1];
            with(a, b + column * depth, depth, to + column, columns);
        }
    }
}
