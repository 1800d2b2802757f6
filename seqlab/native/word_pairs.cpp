// Pairs of words near each other against noise words that a block shares: what they cost, and the gradients. Mirrored
// by seqlab/native/word_pairs.py.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "exponential.h"
#include "small_products.h"

typedef int32_t Int __attribute__((vector_size(WIDTH)));

// What log-odds x cost as noise, log(1 + e^x), summed over several.
class Costs {
    V above = {}, product = 1.f - V{};  // max(x, 0) summed, and 1 + e^-|x|, whose logarithm is still to be added

   public:
    // Takes some, and gives the sigmoid of each, the slope of its cost.
    V take(V x) {
        const V size = x < 0 ? -x : x, decay = exponential<V, Int>(-(size > 87.f ? 87.f - V{} : size));
        const V share = 1.f / (1.f + decay);
        above += x > 0 ? x : V{}, product *= 1.f + decay;
        return x < 0 ? decay * share : share;
    }
    double total() const {
        double sum = 0, factor = 1;
        for (long i = 0; i < LANES; i++) sum += above[i], factor *= product[i];
        return sum + std::log(factor);
    }
};

struct Step {
    const float *inputs, *outputs;          // v and u (words, size)
    const int64_t *heads, *words;           // of each place (count): the row of inputs and that of outputs
    const int64_t *owners, *reach;          // and its row of text, and how far it reaches
    const int64_t* drawn;                   // rows of outputs (blocks, shared)
    long count, size, block, window, shared;
    float share;                            // how often a noise word counts beside a pair
    float *d_inputs, *d_outputs;            // (slots, pitch), see below
    double* nats;                           // (blocks)
    int64_t* pairs;                         // (blocks)

    long pitch() const { return Floats::padded(size); }
    long width() const { return block + 2 * window; }

    // The places around one that are near it, from the first to the last.
    template <class Do>
    void each_near(long place, Do with) const {
        const long last = std::min(count - 1, place + reach[place]);
        for (long other = std::max(0L, place - reach[place]); other <= last; other++)
            if (other != place && owners[other] == owners[place]) with(other);
    }
};

// What a thread works on.
struct Bench {
    const Step& step;
    Padded<float> hidden, centers, around, noise, turned, against, d_hidden, said;
    long first, last, begin, end;  // places of the block, and those around it
    double nats = 0;
    int64_t pairs = 0;

    explicit Bench(const Step& step)
        : step(step),
          hidden(step.block, step.size, 0), centers(step.block, step.size, 0), around(step.width(), step.size, 0),
          noise(step.shared, step.size, 0), turned(step.size, step.shared, 0), against(step.block, step.shared, 0),
          d_hidden(step.block, step.size, 0), said(1, 2 * step.window, 0) {}

    void enter(long number) {
        first = number * step.block, last = std::min(first + step.block, step.count);
        begin = std::max(0L, first - step.window), end = std::min(last + step.window, step.count);
        nats = 0, pairs = 0;
        for (long n = 0; n < step.shared; n++)
            std::copy_n(row_of(step.outputs, step.drawn[number * step.shared + n]), step.size, noise.row(n));
        for (long k = 0; k < step.size; k++)
            for (long n = 0; n < step.shared; n++) turned.row(k)[n] = noise.row(n)[k];
    }
    const float* row_of(const float* table, long word) const { return table + word * step.size; }
    // Rows of a bench, and of slots, by place.
    float* centered(Padded<float>& rows, long place) { return rows.row(place - first); }
    float* near(Padded<float>& rows, long place) { return rows.row(place - first + step.window); }
    float* near(float* slots, long place) { return slots + (place - first + step.window) * step.pitch(); }
    void take_around(const float* table, const int64_t* ids) {
        for (long place = begin; place < end; place++)
            std::copy_n(row_of(table, ids[place]), step.size, near(around, place));
    }
    void take_centers(const float* table, const int64_t* ids, Padded<float>& rows) {
        for (long place = first; place < last; place++)
            std::copy_n(row_of(table, ids[place]), step.size, centered(rows, place));
    }
    void clear(float* slots, long rows) { std::fill_n(slots, rows * step.pitch(), 0.f); }

    // hidden against the noise, each center as often as `times` says; fills the gradients of both.
    template <class Times>
    void tell_noise(float* d_hidden, float* d_noise, Times times) {
        const long pitch = step.pitch(), rows = last - first;
        multiply(hidden.row(0), pitch, 1, turned.row(0), turned.pitch, against.row(0), against.pitch, rows,
                 step.size, turned.pitch);
        for (long i = 0; i < rows; i++) {
            const float weight = times(i) * step.share;
            Costs costs;
            for (long n = 0; n < step.shared; n += LANES) {
                V x;
                Floats::load(x, against.row(i) + n);
                Floats::store(against.row(i) + n, weight * costs.take(x));
            }
            nats += weight * costs.total();
        }
        multiply(against.row(0), against.pitch, 1, noise.row(0), pitch, d_hidden, pitch, rows, step.shared,
                 pitch);
        multiply(against.row(0), 1, against.pitch, hidden.row(0), pitch, d_noise, pitch, step.shared, rows, pitch);
    }

    // What `count` true pairs cost whose log-odds stand in `said`, which become the slopes of their costs.
    void tell_pairs(long count) {
        float* odds_of = said.row(0);
        const long filled = Floats::padded(count);
        std::fill(odds_of + count, odds_of + filled, 1e30f);
        for (long at = 0; at < filled; at += LANES) {
            V x;
            Costs costs;
            Floats::load(x, odds_of + at);
            Floats::store(odds_of + at, -costs.take(-x));
            nats += costs.total();
        }
    }
};

// Slots of d_inputs: the centers, place by place. Of d_outputs: of each block those around it, then the noise.
void skipgram(Bench& bench, long number) {
    const Step& step = bench.step;
    const long pitch = step.pitch();
    float *d_hidden = step.d_inputs + bench.first * pitch;
    float *d_around = step.d_outputs + number * (step.width() + step.shared) * pitch;
    bench.take_around(step.outputs, step.words);
    bench.clear(d_around, step.width());
    bench.take_centers(step.inputs, step.heads, bench.hidden);
    auto times = [&](long i) {
        long near = 0;
        step.each_near(bench.first + i, [&](long) { near++; });
        bench.pairs += near;
        return float(near);
    };
    bench.tell_noise(d_hidden, d_around + step.width() * pitch, times);
    for (long place = bench.first; place < bench.last; place++) {
        const float* own = bench.centered(bench.hidden, place);
        float *slopes = bench.said.row(0), *d_own = d_hidden + (place - bench.first) * pitch;
        long near = 0;
        step.each_near(place, [&](long other) { slopes[near++] = dot(own, bench.near(bench.around, other), pitch); });
        bench.tell_pairs(near);
        near = 0;
        step.each_near(place, [&](long other) {
            add(d_own, slopes[near], bench.near(bench.around, other), pitch);
            add(bench.near(d_around, other), slopes[near++], own, pitch);
        });
    }
}

// Slots of d_inputs: of each block those around it. Of d_outputs: of each block the centers, then the noise.
void cbow(Bench& bench, long number) {
    const Step& step = bench.step;
    const long pitch = step.pitch();
    float* d_around = step.d_inputs + number * step.width() * pitch;
    float* d_centers = step.d_outputs + number * (step.block + step.shared) * pitch;
    bench.take_around(step.inputs, step.heads);
    bench.clear(d_around, step.width());
    bench.clear(d_centers, step.block);
    auto near_of = [&](long place) {
        long near = 0;
        step.each_near(place, [&](long) { near++; });
        return near;
    };
    for (long place = bench.first; place < bench.last; place++) {
        const long near = near_of(place);
        float* own = bench.centered(bench.hidden, place);
        std::fill_n(own, pitch, 0.f);
        step.each_near(place, [&](long other) { add(own, 1.f / near, bench.near(bench.around, other), pitch); });
        bench.pairs += near > 0;
    }
    auto times = [&](long i) { return near_of(bench.first + i) ? 1.f : 0.f; };
    bench.tell_noise(bench.d_hidden.row(0), d_centers + step.block * pitch, times);
    bench.take_centers(step.outputs, step.words, bench.centers);
    for (long place = bench.first; place < bench.last; place++) {
        const long near = near_of(place);
        if (!near) continue;
        const float *own = bench.centered(bench.hidden, place), *word = bench.centered(bench.centers, place);
        float *d_own = bench.centered(bench.d_hidden, place), *slope = bench.said.row(0);
        *slope = dot(own, word, pitch);
        bench.tell_pairs(1);
        add(d_own, *slope, word, pitch);
        add(d_centers + (place - bench.first) * pitch, *slope, own, pitch);
        step.each_near(place, [&](long other) { add(bench.near(d_around, other), 1.f / near, d_own, pitch); });
    }
}

// Blocks are handed to whichever thread is free, and each has its own slots, so that nothing depends on the threads.
extern "C" void word_pairs(const float* inputs, const float* outputs, const int64_t* heads, const int64_t* words,
                           const int64_t* owners, const int64_t* reach, const int64_t* drawn, int64_t blocks,
                           int64_t count, int64_t size, int64_t block, int64_t window, int64_t shared, float share,
                           bool means, float* d_inputs, float* d_outputs, double* nats, int64_t* pairs,
                           int64_t threads) {
    const Step step{inputs, outputs, heads,  words,  owners, reach,    drawn,     count, size,
                    block,  window,  shared, share, d_inputs, d_outputs, nats,  pairs};
#pragma omp parallel num_threads(threads)
    {
        Bench bench(step);
#pragma omp for schedule(dynamic, 4)
        for (long number = 0; number < blocks; number++) {
            bench.enter(number);
            means ? cbow(bench, number) : skipgram(bench, number);
            nats[number] = bench.nats, pairs[number] = bench.pairs;
        }
    }
}
