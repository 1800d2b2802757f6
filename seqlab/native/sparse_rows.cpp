// Rows of tables that are taken together, and steps on some rows of a table. Mirrored by seqlab/native/sparse_rows.py.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "vectors.h"

// Groups places by their id, below `size`: the distinct ids, ascending; each place's group; the places of each group,
// and their end. Returns the number of groups.
extern "C" int64_t group_places(const int64_t* ids, int64_t count, int64_t size, int64_t* distinct, int64_t* ranks,
                                int64_t* places, int64_t* ends) {
    std::vector<int32_t> ranked(size);
    for (long k = 0; k < count; k++) ranked[ids[k]]++;
    long groups = 0, begin = 0;
    for (long id = 0; id < size; id++)
        if (const long times = ranked[id]) {
            distinct[groups] = id, ends[groups] = begin;
            ranked[id] = groups++, begin += times;
        }
    for (long k = 0; k < count; k++) places[ends[ranks[k] = ranked[ids[k]]]++] = k;
    return groups;
}

constexpr long AHEAD = 8;  // rows that are asked for before they are read

// sums[s] = weights[s] times the sum of rows[places[k]] for k from ends[s - 1] to ends[s].
extern "C" void sum_rows(const float* rows, const int64_t* places, const int64_t* ends, const float* weights,
                         float* sums, int64_t count, int64_t width, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64)
    for (long s = 0; s < count; s++) {
        float* own = sums + s * width;
        std::fill_n(own, width, 0.f);
        for (long k = s ? ends[s - 1] : 0; k < ends[s]; k++) {
            const float* row = rows + places[k] * width;
            if (k + AHEAD < ends[count - 1]) fetch(rows + places[k + AHEAD] * width, width);
            for (long i = 0; i < width; i++) own[i] += row[i];
        }
        for (long i = 0; i < width; i++) own[i] *= weights[s];
    }
}

// squares += g^2,  table -= rate g / (sqrt(squares) + epsilon), of the rows that have a gradient g, each once.
extern "C" void adagrad_rows(float* table, float* squares, const int64_t* ids, const float* gradients, int64_t count,
                             int64_t width, float rate, float epsilon, int64_t threads) {
#pragma omp parallel for num_threads(threads) schedule(dynamic, 64)
    for (long n = 0; n < count; n++) {
        float *row = table + ids[n] * width, *sums = squares + ids[n] * width;
        const float* g = gradients + n * width;
        if (n + AHEAD < count) {
            fetch(table + ids[n + AHEAD] * width, width);
            fetch(squares + ids[n + AHEAD] * width, width);
        }
        for (long i = 0; i < width; i++) {
            sums[i] += g[i] * g[i];
            row[i] -= rate * g[i] / (std::sqrt(sums[i]) + epsilon);
        }
    }
}
