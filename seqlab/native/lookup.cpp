// Tables that are looked up by ids, and their gradients. Mirrored by seqlab/native/lookup.py.
#include "avx.h"

// Does something with every LANES lines of a table (lines, width), or fewer at its end: a thread's own, which lie in
// its second cache meanwhile.
template <class Table, class Do>
void each_lines(Table* table, int64_t lines, int64_t width, int64_t threads, Do with) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(lines, LANES);
        for (long line = mine.first; line < mine.last; line += LANES)
            with(table + line * width, line, std::min(LANES, mine.last - line));
    }
}

// found[n][line] = table[line][ids[n]].
extern "C" void take_columns(const float* table, int64_t lines, int64_t width, const int64_t* ids, int64_t count,
                             float* found, int64_t threads) {
    each_lines(table, lines, width, threads, [&](const float* own, long line, long tall) {
        for (long n = 0; n < count; n++)
            for (long i = 0; i < tall; i++) found[n * lines + line + i] = own[i * width + ids[n]];
    });
}

// sums[line][id] = sum over n of rows[n][line] where ids[n] is that id.
extern "C" void sum_columns(const float* rows, int64_t pitch, const int64_t* ids, int64_t count, float* sums,
                            int64_t lines, int64_t width, int64_t threads) {
    each_lines(sums, lines, width, threads, [&](float* own, long line, long tall) {
        std::fill(own, own + tall * width, 0.f);
        for (long n = 0; n < count; n++)
            for (long i = 0; i < tall; i++) own[i * width + ids[n]] += rows[n * pitch + line + i];
    });
}

// sums[ids[n]] += rows[n]. Every thread owns some columns of all sums.
extern "C" void sum_by_id(const float* rows, int64_t pitch, const int64_t* ids, int64_t count, float* sums,
                          int64_t width, int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(width, LANES);
        for (long row = 0; row < count; row++)
            for (long at = mine.first; at < mine.last; at += LANES) {
                const int lanes = int(std::min(LANES, mine.last - at));
                float* own = sums + ids[row] * width + at;
                store(own, load(own, lanes) + load(rows + row * pitch + at, lanes), lanes);
            }
    }
}
