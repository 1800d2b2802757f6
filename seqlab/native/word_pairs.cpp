// Pairs of words near each other against noise words that a block shares: what they cost, and the gradients. Mirrored
// by seqlab/native/word_pairs.py.
#define LANE_BYTES 32  // so that LANES is that of word_pairs.py

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <thread>

#include "small_products.h"

// What log-odds x cost as noise, log(1 + e^x), summed over several.
class Costs {
    V above = {}, product = 1.f - V{};  // max(x, 0) summed, and 1 + e^-|x|, whose logarithm is still to be added

  public:
    // Takes some, and gives the sigmoid of each, the slope of its cost.
    V take(V x) {
        const V size = x < 0 ? -x : x, decay = exponential(-(size > 87.f ? splat(87.f) : size));
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
    const int64_t *d_heads, *d_words;       // of each place, the row of its gradients
    const int64_t* d_drawn;                 // and of each noise word (blocks, shared)
    long blocks, count, size, block, window, shared;
    float share;                            // how often a noise word counts beside a pair
    bool means;                             // CBOW, not skip-gram

    long pitch() const { return rounded_up(size, LANES); }
    long width() const { return block + 2 * window; }

    // The places around one that are near it, from the first to the last.
    template <class Do>
    void each_near(long place, Do with) const {
        const long last = std::min(count - 1, place + reach[place]);
        for (long other = std::max(0L, place - reach[place]); other <= last; other++)
            if (other != place && owners[other] == owners[place]) with(other);
    }
};

// The gradients of some rows of a table.
class Gradients {
    float* rows;
    long size;
    std::vector<char> begun;

  public:
    Gradients(float* rows, long count, long size) : rows(rows), size(size), begun(count) {}

    void add(long row, float factor, const float* from) {
        float* to = rows + row * size;
        if (begun[row]) return ::add(to, factor, from, size);
        begun[row] = true;
        for (long i = 0; i < size; i++) to[i] = factor * from[i];
    }
    // Fills the rows that nothing was added to.
    void finish() {
        for (long row = 0; row < long(begun.size()); row++)
            if (!begun[row]) std::fill_n(rows + row * size, size, 0.f);
    }
    INLINE void ask(long row) const { fetch(rows + row * size, size); }
};

// Which rows each of several sums has, and how often.
class Sums {
    long most;
    std::vector<long> counts, rows;
    std::vector<float> weights;

    template <int WIDE>
    void add_lanes(long sum, const float* from, long pitch, float* to) const {
        V totals[WIDE];
#pragma GCC unroll 4
        for (int w = 0; w < WIDE; w++) totals[w] = load(to + w * LANES);
        for (long k = sum * most; k < sum * most + counts[sum]; k++) {
            const float *row = from + rows[k] * pitch, weight = weights[k];
#pragma GCC unroll 4
            for (int w = 0; w < WIDE; w++) totals[w] += weight * load(row + w * LANES);
        }
#pragma GCC unroll 4
        for (int w = 0; w < WIDE; w++) store(to + w * LANES, totals[w]);
    }

  public:
    Sums(long sums, long most) : most(most), counts(sums), rows(sums * most), weights(sums * most) {}
    void clear() { std::fill(counts.begin(), counts.end(), 0); }
    long count(long sum) const { return counts[sum]; }
    void take(long sum, long row, float weight) {
        const long at = sum * most + counts[sum]++;
        rows[at] = row, weights[at] = weight;
    }
    // Adds one to a row.
    void add(long sum, const float* from, long pitch, float* to) const {
        long at = 0;
        for (; at + 4 * LANES <= pitch; at += 4 * LANES) add_lanes<4>(sum, from + at, pitch, to + at);
        for (; at < pitch; at += LANES) add_lanes<1>(sum, from + at, pitch, to + at);
    }
};

// What a thread works on, a block at a time.
struct Bench {
    const Step& step;
    Gradients &d_inputs, &d_outputs;
    Padded<float> hidden, centers, around, noise, turned, against, d_hidden, d_around, d_noise, said;
    Sums near, back;               // of each place, those near it; and the other way round
    long number;                   // of the block
    long first, last, begin, end;  // its places, and those around it
    long ahead;                    // blocks until the next one of this thread
    double nats = 0;
    int64_t pairs = 0;
    std::atomic<bool> waits = false;  // to add the block's gradients

    Bench(const Step& step, Gradients& d_inputs, Gradients& d_outputs)
        : step(step), d_inputs(d_inputs), d_outputs(d_outputs),
          hidden(step.block, step.size, 0), centers(step.block, step.size, 0), around(step.width(), step.size, 0),
          noise(step.shared, step.size, 0), turned(step.size, step.shared, 0), against(step.block, step.shared, 0),
          d_hidden(step.block, step.size, 0), d_around(step.width(), step.size, 0), d_noise(step.shared, step.size, 0),
          said(1, step.block * 2 * step.window, 0), near(step.block, 2 * step.window),
          back(step.width(), 2 * step.window), ahead(omp_get_num_threads()) {}

    void enter(long block) {
        number = block, first = number * step.block, last = std::min(first + step.block, step.count);
        begin = std::max(0L, first - step.window), end = std::min(last + step.window, step.count);
        nats = 0, pairs = 0, near.clear(), back.clear();
        for (long n = 0; n < step.shared; n++)
            std::copy_n(row_of(step.outputs, step.drawn[number * step.shared + n]), step.size, noise.row(n));
        for (long k = 0; k < step.size; k++)
            for (long n = 0; n < step.shared; n++) turned.row(k)[n] = noise.row(n)[k];
    }
    template <class Number>
    Number* row_of(Number* table, long word) const { return table + word * step.size; }
    // Rows by place.
    float* centered(Padded<float>& rows, long place) { return rows.row(place - first); }
    float* beside(Padded<float>& rows, long place) { return rows.row(place - first + step.window); }

    void take_around(const float* table, const int64_t* ids) {
        for (long place = begin; place < end; place++)
            std::copy_n(row_of(table, ids[place]), step.size, beside(around, place));
    }
    void take_centers(const float* table, const int64_t* ids, Padded<float>& rows) {
        for (long place = first; place < last; place++)
            std::copy_n(row_of(table, ids[place]), step.size, centered(rows, place));
    }
    // Asks for the rows of place i in the next block of this thread.
    INLINE void fetch_next(long i) const {
        const long block = number + ahead, place = block * step.block + i;
        if (place < step.count) {
            fetch(row_of(step.inputs, step.heads[place]), step.size);
            fetch(row_of(step.outputs, step.words[place]), step.size);
        }
        if (block < step.blocks)
            each_noise(i, [&](long n) INLINED {
                fetch(row_of(step.outputs, step.drawn[block * step.shared + n]), step.size);
            });
    }
    // Asks for the gradients of place i, which are added to.
    INLINE void fetch_gradients(long i) const {
        d_inputs.ask(step.d_heads[first + i]), d_outputs.ask(step.d_words[first + i]);
        each_noise(i, [&](long n) INLINED {
            d_outputs.ask(step.d_drawn[number * step.shared + n]);
        });
    }
    // The noise words, some at each place.
    template <class Do>
    INLINE void each_noise(long i, Do with) const {
        for (long n = i * step.shared / step.block; n < (i + 1) * step.shared / step.block; n++) with(n);
    }

    // The hidden vectors against the noise, each as often as `times` says; fills the gradients of both.
    template <class Times>
    void tell_noise(Times times) {
        const long pitch = step.pitch(), rows = last - first;
        multiply(hidden.row(0), pitch, 1, turned.row(0), turned.pitch, against.row(0), against.pitch, rows,
                 step.size, turned.pitch);
        for (long i = 0; i < rows; i++) {
            const float weight = times(i) * step.share;
            Costs costs;
            for (float* odds = against.row(i); odds < against.row(i) + step.shared; odds += LANES)
                store(odds, weight * costs.take(load(odds)));
            nats += weight * costs.total();
        }
        multiply(against.row(0), against.pitch, 1, noise.row(0), pitch, d_hidden.row(0), pitch, rows, step.shared,
                 pitch);
        multiply(against.row(0), 1, against.pitch, hidden.row(0), pitch, d_noise.row(0), pitch, step.shared, rows,
                 pitch);
    }

    // What `count` true pairs cost whose log-odds stand in `said`, which become the slopes of their costs.
    void tell_pairs(long count) {
        constexpr long STRIP = 64 * LANES;
        float* odds_of = said.row(0);
        const long filled = rounded_up(count, LANES);
        std::fill(odds_of + count, odds_of + filled, 1e30f);
        for (long strip = 0; strip < filled; strip += STRIP) {
            Costs costs;
            for (long at = strip; at < std::min(filled, strip + STRIP); at += LANES)
                store(odds_of + at, -costs.take(-load(odds_of + at)));
            nats += costs.total();
        }
    }

    // Fills the gradients of those around.
    void hand_back(const Padded<float>& rows) {
        for (long i = 0; i < step.width(); i++) {
            std::fill_n(d_around.row(i), step.pitch(), 0.f);
            back.add(i, rows.numbers.data(), step.pitch(), d_around.row(i));
        }
    }
    void add_around(Gradients& to, const int64_t* rows) {
        for (long place = begin; place < end; place++)
            if (back.count(place - first + step.window)) to.add(rows[place], 1.f, beside(d_around, place));
    }
    void add_noise() {
        for (long n = 0; n < step.shared; n++)
            d_outputs.add(step.d_drawn[number * step.shared + n], 1.f, d_noise.row(n));
    }
};

void skipgram(Bench& bench) {
    const Step& step = bench.step;
    const long pitch = step.pitch();
    float* slopes = bench.said.row(0);
    bench.take_around(step.outputs, step.words);
    bench.take_centers(step.inputs, step.heads, bench.hidden);
    for (long place = bench.first; place < bench.last; place++) {
        bench.fetch_next(place - bench.first);
        const float* own = bench.centered(bench.hidden, place);
        step.each_near(place, [&](long other) {
            slopes[bench.pairs++] = dot(own, bench.beside(bench.around, other), pitch);
        });
    }
    bench.tell_pairs(bench.pairs);
    for (long place = bench.first; place < bench.last; place++)
        step.each_near(place, [&](long other) {
            const long own = place - bench.first, its = other - bench.first + step.window;
            bench.near.take(own, its, *slopes), bench.back.take(its, own, *slopes++);
        });
    bench.tell_noise([&](long i) { return float(bench.near.count(i)); });
    for (long i = 0; i < bench.last - bench.first; i++) {
        bench.near.add(i, bench.around.row(0), pitch, bench.d_hidden.row(i));
        bench.fetch_gradients(i);
    }
    bench.hand_back(bench.hidden);
}

void add_skipgram(Bench& bench) {
    const Step& step = bench.step;
    for (long i = 0; i < bench.last - bench.first; i++)
        bench.d_inputs.add(step.d_heads[bench.first + i], 1.f, bench.d_hidden.row(i));
    bench.add_around(bench.d_outputs, step.d_words);
    bench.add_noise();
}

void cbow(Bench& bench) {
    const Step& step = bench.step;
    const long pitch = step.pitch();
    float* slopes = bench.said.row(0);
    bench.take_around(step.inputs, step.heads);
    bench.take_centers(step.outputs, step.words, bench.centers);
    for (long place = bench.first; place < bench.last; place++) {
        const long own = place - bench.first;
        long near = 0;
        step.each_near(place, [&](long) { near++; });
        step.each_near(place, [&](long other) {
            const long its = other - bench.first + step.window;
            bench.near.take(own, its, 1.f / near), bench.back.take(its, own, 1.f / near);
        });
        float* hidden = bench.hidden.row(own);
        std::fill_n(hidden, pitch, 0.f);
        bench.near.add(own, bench.around.row(0), pitch, hidden);
        slopes[own] = near ? dot(hidden, bench.centers.row(own), pitch) : 1e30f;
        bench.pairs += near > 0;
        bench.fetch_next(own);
    }
    bench.tell_pairs(bench.last - bench.first);
    bench.tell_noise([&](long i) { return bench.near.count(i) ? 1.f : 0.f; });
    for (long i = 0; i < bench.last - bench.first; i++) {
        add(bench.d_hidden.row(i), slopes[i], bench.centers.row(i), pitch);
        bench.fetch_gradients(i);
    }
    bench.hand_back(bench.d_hidden);
}

void add_cbow(Bench& bench) {
    const Step& step = bench.step;
    bench.add_around(bench.d_inputs, step.d_heads);
    for (long i = 0; i < bench.last - bench.first; i++)
        if (bench.near.count(i))
            bench.d_outputs.add(step.d_words[bench.first + i], bench.said.row(0)[i], bench.hidden.row(i));
    bench.add_noise();
}

// Blocks whose gradients are added one after the other, by whichever thread is there, so that none waits for another.
class Line {
    std::vector<std::atomic<Bench*>> ready;
    std::atomic<long> next = 0;
    std::atomic<bool> adding = false;

    Bench* first() const { return next < long(ready.size()) ? ready[next].load() : nullptr; }

  public:
    explicit Line(long blocks) : ready(blocks) {}
    void enter(Bench& bench) { bench.waits = true, ready[bench.number] = &bench; }
    void advance() {
        while (first() && !adding.exchange(true)) {
            while (Bench* bench = first()) {
                bench->step.means ? add_cbow(*bench) : add_skipgram(*bench);
                next++, bench->waits = false;
            }
            adding = false;
        }
    }
};

// The benches of a thread: one, and more while blocks before its own are late.
class Room {
    static constexpr long MOST = 32;
    std::vector<std::unique_ptr<Bench>> benches;

  public:
    template <class Make>
    Bench& free(Line& line, Make make) {
        for (;; line.advance(), std::this_thread::yield()) {
            for (auto& bench : benches)
                if (!bench->waits) return *bench;
            if (long(benches.size()) < MOST) return *benches.emplace_back(make());
        }
    }
};

// A block goes to whichever thread is free; gradients are added in the order of the blocks, so that nothing depends on
// the threads.
extern "C" void word_pairs(const float* inputs, const float* outputs, const int64_t* heads, const int64_t* words,
                           const int64_t* owners, const int64_t* reach, const int64_t* drawn, const int64_t* d_heads,
                           const int64_t* d_words, const int64_t* d_drawn, int64_t blocks, int64_t count, int64_t size,
                           int64_t block, int64_t window, int64_t shared, float share, bool means, float* d_inputs,
                           int64_t input_rows, float* d_outputs, int64_t output_rows, float* nats, int64_t* pairs,
                           int64_t threads) {
    const Step step{inputs,  outputs, heads, words, owners, reach,  drawn,  d_heads, d_words,
                    d_drawn, blocks,  count, size,  block,  window, shared, share,   means};
    Gradients of_inputs(d_inputs, input_rows, size), of_outputs(d_outputs, output_rows, size);
    Line line(blocks);
    std::vector<double> costs(blocks);
    int64_t number_of_pairs = 0;
#pragma omp parallel num_threads(threads)
    {
        Room room;
#pragma omp for schedule(monotonic : dynamic, 1) reduction(+ : number_of_pairs)
        for (long number = 0; number < blocks; number++) {
            Bench& bench = room.free(line, [&] { return std::make_unique<Bench>(step, of_inputs, of_outputs); });
            bench.enter(number);
            means ? cbow(bench) : skipgram(bench);
            costs[number] = bench.nats, number_of_pairs += bench.pairs;
            line.enter(bench), line.advance();
        }
    }
    of_inputs.finish(), of_outputs.finish();
    *nats = std::accumulate(costs.begin(), costs.end(), 0.), *pairs = number_of_pairs;
}
