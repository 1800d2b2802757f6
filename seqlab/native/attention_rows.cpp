// Attention of one query a row to keys and values that lie anywhere. Mirrored by seqlab/native/attention_rows.py.
#include "attention_head.h"

// Key s of a row lies at keys[s] + places[row][s] * pitch, its heads head_pitch apart, and so does value s; a negative
// place is not seen. Queries and mixed (rows, heads, size), weights (rows, heads, steps) or null.
extern "C" void attend_rows(const float* queries, int64_t query_pitch, const float* const* keys,
                            const float* const* values, const int64_t* places, int64_t pitch, int64_t head_pitch,
                            float* mixed, float* weights, int64_t rows, int64_t heads, int64_t steps, int64_t size,
                            int64_t threads) {
    const float scale = 1 / std::sqrt(float(size));
#pragma omp parallel num_threads(threads)
    {
        const Share mine(rows);
        Padded<float> scores(heads, steps, NOTHING);
        for (long row = mine.first; row < mine.last; row++) {
            const int64_t* place = places + row * steps;
            const float* query = queries + row * query_pitch;
            for (long s = 0; s < steps; s++)
                for (long head = 0; head < heads; head++) {
                    const float* key = keys[s] + place[s] * pitch + head * head_pitch;
                    scores.row(head)[s] = place[s] < 0 ? NOTHING : scale * dot(query + head * size, key, size);
                }
            float* own = mixed + row * heads * size;
            std::fill_n(own, heads * size, 0.f);
            for (long head = 0; head < heads; head++) {
                soften(scores.row(head), scores.pitch);
                if (weights) std::copy_n(scores.row(head), steps, weights + (row * heads + head) * steps);
            }
            for (long s = 0; s < steps; s++)
                for (long head = 0; head < heads && place[s] >= 0; head++)
                    add(own + head * size, scores.row(head)[s], values[s] + place[s] * pitch + head * head_pitch, size);
            for (long head = 0; head < heads; head++)
                std::fill(scores.row(head) + steps, scores.row(head) + scores.pitch, NOTHING);
        }
    }
}

// Floats that are computed at once.
extern "C" int64_t lanes() { return LANES; }
