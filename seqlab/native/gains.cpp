// The gradient of the gain of a layer normalization. Mirrored by seqlab/native/gains.py.
#include "avx.h"

// sums[c] = sum over rows r of gradients[r][c] * (inputs[r][c] - means[r]) * scales[r]. Every thread owns some columns.
extern "C" void sum_normalized(const float* gradients, int64_t pitch, const float* inputs, int64_t inputs_pitch,
                               const float* means, const float* scales, float* sums, int64_t rows, int64_t width,
                               int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(width, LANES);
        for (long row = 0; row < rows; row++)
            for (long at = mine.first; at < mine.last; at += LANES) {
                const int lanes = int(std::min(LANES, mine.last - at));
                const V normed = (load(inputs + row * inputs_pitch + at, lanes) - means[row]) * scales[row];
                store(sums + at, load(sums + at, lanes) + load(gradients + row * pitch + at, lanes) * normed, lanes);
            }
    }
}
