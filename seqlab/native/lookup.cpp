// Sums of rows by their ids: the gradient of a table that was looked up. Mirrored by seqlab/native/lookup.py.
#include "share.h"
#include "vector.h"

// Every thread owns some columns of all sums.
extern "C" void sum_by_id(const float* rows, int64_t pitch, const int64_t* ids, int64_t count, float* sums,
                          int64_t width, int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine((width + LANES - 1) / LANES);
        for (long row = 0; row < count; row++)
            for (long at = mine.first * LANES; at < std::min<long>(mine.last * LANES, width); at += LANES) {
                const int lanes = int(std::min<long>(LANES, width - at));
                float* own = sums + ids[row] * width + at;
                store(own, load(own, lanes) + load(rows + row * pitch + at, lanes), lanes);
            }
    }
}
