// Chains of tags: the best path of a sentence, and the sums over all its paths, step by step. Mirrored by
// seqlab/native/chains.py.
#define LANE_BYTES 32  // few tags fill more

#include "vectors.h"

// scores[t][j] = emissions[t][j] + max over i of (scores[t - 1][i] + transitions[i][j]); from the best of the last
// ones, the tag that led there, back to the first.
extern "C" void best_paths(const float* emissions, const int64_t* lengths, const float* transitions, const float* start,
                           const float* end, int64_t* path, int64_t batch, int64_t steps, int64_t tags,
                           int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(batch);
        Padded<float> scores(steps, tags, NOTHING), moves(tags, tags, NOTHING), into(tags, tags, NOTHING);
        for (long i = 0; i < tags; i++)
            for (long j = 0; j < tags; j++)
                moves.row(i)[j] = into.row(j)[i] = transitions[i * tags + j];
        for (long row = mine.first; row < mine.last; row++) {
            const float* emitted = emissions + row * steps * tags;
            int64_t* found = path + row * steps;
            const long length = lengths[row];
            for (long j = 0; j < tags; j++) scores.row(0)[j] = emitted[j] + start[j];
            for (long t = 1; t < length; t++) {
                const float* before = scores.row(t - 1);
                float* now = scores.row(t);
                for (long at = 0; at < moves.pitch; at += LANES) {
                    V best = load(moves.row(0) + at) + before[0];
                    for (long i = 1; i < tags; i++) best = larger(best, load(moves.row(i) + at) + before[i]);
                    store(now + at, best);
                }
                for (long j = 0; j < tags; j++) now[j] += emitted[t * tags + j];
            }
            const float* more = end;
            for (long t = length - 1; t >= 0; t--) {
                const float* now = scores.row(t);
                long best = 0;
                for (long j = 1; j < tags; j++)
                    if (now[j] + more[j] > now[best] + more[best]) best = j;
                found[t] = best;
                more = into.row(best);
            }
            std::fill(found + length, found + steps, 0);
        }
    }
}

// arrived[t] = kept[t - 1] moves,  kept[t] = arrived[t] * emitted[t] / factors[t],  factors[t] their sum; the first
// arrived is given. Of each of ways * batch sentences, emitted and what comes of it (steps, ways, batch, tags).
extern "C" void scaled_sums(const double* emitted, const double* moves, double* arrived, double* kept, double* factors,
                            int64_t steps, int64_t ways, int64_t batch, int64_t tags, int64_t threads) {
    using Doubles = Vector<double>;
#pragma omp parallel num_threads(threads)
    {
        const Share mine(ways * batch);
        Padded<double> own(ways * tags, tags, 0.0), sums(1, tags, 0.0);
        for (long i = 0; i < ways * tags; i++) std::copy_n(moves + i * tags, tags, own.row(i));
        for (long row = mine.first; row < mine.last; row++)
            for (long t = 0; t < steps; t++) {
                const long at = (t * ways * batch + row) * tags;
                double *now = arrived + at, *scaled = kept + at, total = 0;
                if (t > 0) {
                    const double* before = scaled - ways * batch * tags;
                    const long first = row / batch * tags;
                    for (long from = 0; from < own.pitch; from += Doubles::LANES) {
                        Doubles::V sum{};
                        for (long i = 0; i < tags; i++) sum += load(own.row(first + i) + from) * before[i];
                        store(sums.row(0) + from, sum);
                    }
                    std::copy_n(sums.row(0), tags, now);
                }
                for (long j = 0; j < tags; j++) total += scaled[j] = now[j] * emitted[at + j];
                const double share = 1 / total;
                for (long j = 0; j < tags; j++) scaled[j] *= share;
                factors[t * ways * batch + row] = total;
            }
    }
}
