// An output layer, its cross-entropy and all gradients, for some rows at a time, whose logits stay in cache. Mirrored
// by seqlab/native/cross_entropy.py.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "small_products.h"

constexpr long GROUP = 48;        // classes whose logits are computed together
constexpr long PAIR = 2 * LANES;  // columns of a matrix that lie side by side

struct Layer {
    const float *inputs, *weight, *bias;  // (rows, size), (classes, size), (classes)
    const int64_t* targets;
    int64_t rows, size, classes, held, threads;  // held: rows at a time
    float smoothing;
    float *d_inputs, *d_weight, *d_bias;
    double* nats;
};

// A matrix (depth, columns) as (pairs, depth, PAIR), with zeros behind the last column.
struct Panels {
    long depth, pairs, pitch;
    std::vector<float> numbers;

    Panels(long depth, long columns)
        : depth(depth), pairs(divided(columns, PAIR)), pitch(pairs * PAIR), numbers(depth * pitch) {}

    float& at(long row, long column) { return numbers[(column / PAIR * depth + row) * PAIR + column % PAIR]; }
    void set_row(long row, const float* from, long columns) {
        for (long first = 0; first < columns; first += PAIR)
            std::copy_n(from + first, std::min(PAIR, columns - first), &at(row, first));
    }
    // out = a times the first `inner` rows of this, or out += that; a is read as a[i * a_row + k * a_step].
    void multiply(const float* a, long a_row, long a_step, float* out, long rows, long inner, bool add = false) {
        for (long pair = 0; pair < pairs; pair++)
            ::multiply(a, a_row, a_step, &at(0, pair * PAIR), PAIR, out + pair * PAIR, pitch, rows, inner, PAIR, add);
    }
};

// The rows at hand.
struct Rows {
    const Layer& layer;
    long first = 0, count = 0;
    Panels inputs, turned;  // (held, size), (size, held)
    std::unique_ptr<float[]> logits;       // (classes, pitch of turned), then powers of e, then gradients
    std::vector<float> top, right, share;  // of each row: the largest logit, the target's, 1 over the sum of the powers

    explicit Rows(const Layer& layer)
        : layer(layer), inputs(layer.held, layer.size), turned(layer.size, layer.held),
          logits(new float[layer.classes * turned.pitch]), top(turned.pitch), right(turned.pitch),
          share(turned.pitch) {}

    void begin(long from) { first = from, count = std::min(layer.held, layer.rows - from); }
    void take(long row) {
        const float* from = layer.inputs + (first + row) * layer.size;
        inputs.set_row(row, from, layer.size);
        for (long k = 0; k < layer.size; k++) turned.at(k, row) = from[k];
    }
};

// What a thread works on: some groups of classes, for all rows at hand.
class Bench {
  public:
    // Of each row, over these classes: largest logit, sum of powers, and sum of logits.
    std::vector<float> most, total, all;
    std::vector<float> d_inputs;  // (held, pitch of inputs)

    explicit Bench(Rows& rows)
        : most(rows.turned.pitch), total(rows.turned.pitch), all(rows.turned.pitch),
          d_inputs(rows.layer.held * rows.inputs.pitch), rows(rows), layer(rows.layer), weight(GROUP, layer.size),
          d_weight(GROUP * weight.pitch) {
        begin();
    }

    void begin() {
        std::fill(most.begin(), most.end(), NOTHING);
        for (auto* sums : {&total, &all, &d_inputs}) std::fill(sums->begin(), sums->end(), 0.f);
    }

    void score(long group) {
        enter(group);
        rows.turned.multiply(layer.weight + begins * layer.size, layer.size, 1, own, width, layer.size);
        each([&](long n, long at, V x) {
            x += layer.bias[begins + n];
            store(&most[at], larger(load(&most[at]), x));
            if (layer.smoothing) store(&all[at], load(&all[at]) + x);
            return x;
        });
    }

    // Logits become powers of e.
    void raise(long group) {
        enter(group);
        each_target([&](long row, float& logit) { rows.right[row] = logit; });
        each([&](long, long at, V x) {
            x = exponential_of_negative(x - load(&rows.top[at]));
            store(&total[at], load(&total[at]) + x);
            return x;
        });
    }

    // Powers become gradients, from which those of the layer follow.
    void go_back(long group) {
        enter(group);
        const float even = layer.smoothing / float(layer.classes);
        each_target([&](long row, float& power) { power -= (1.f - layer.smoothing) / rows.share[row]; });
        each([&](long, long at, V x) { return x * load(&rows.share[at]) - even; });
        for (long n = 0; n < width; n++) {
            const float* gradients = own + n * rows.turned.pitch;
            float& d_bias = layer.d_bias[begins + n];
            d_bias = std::accumulate(gradients, gradients + rows.count, rows.first ? d_bias : 0.f);
            weight.set_row(n, layer.weight + (begins + n) * layer.size, layer.size);
        }
        weight.multiply(own, 1, rows.turned.pitch, d_inputs.data(), rows.count, width, true);
        rows.inputs.multiply(own, rows.turned.pitch, 1, d_weight.data(), width, rows.count);
        for (long n = 0; n < width; n++) {
            float *to = layer.d_weight + (begins + n) * layer.size, *from = &d_weight[n * weight.pitch];
            if (rows.first)
                for (long k = 0; k < layer.size; k++) to[k] += from[k];
            else std::copy_n(from, layer.size, to);
        }
    }

  private:
    Rows& rows;
    const Layer& layer;
    Panels weight;                // (GROUP, size)
    std::vector<float> d_weight;  // (GROUP, pitch of weight)
    long begins = 0, width = 0;   // classes of a group
    float* own = nullptr;         // their logits, (width, pitch of turned)

    void enter(long group) {
        begins = group * GROUP, width = std::min(GROUP, layer.classes - begins);
        own = &rows.logits[begins * rows.turned.pitch];
    }

    template <class Do>
    void each(Do with) {
        for (long n = 0; n < width; n++)
            for (long at = 0; at < rows.count; at += LANES) {
                float* logits = own + n * rows.turned.pitch + at;
                store(logits, with(n, at, load(logits)));
            }
    }
    template <class Do>
    void each_target(Do with) {
        for (long row = 0; row < rows.count; row++) {
            const long target = layer.targets[rows.first + row] - begins;
            if (target >= 0 && target < width) with(row, own[target * rows.turned.pitch + row]);
        }
    }
};

// Threads share the classes, and between them the rows.
extern "C" void linear_cross_entropy(const Layer* given) {
    const Layer& layer = *given;
    Rows rows(layer);
    std::vector<Bench> benches(layer.threads, Bench(rows));
#pragma omp parallel num_threads(layer.threads)
    {
        Bench& own = benches[omp_get_thread_num()];
        const Share groups(divided(layer.classes, GROUP));
        auto each_group = [&](void (Bench::*work)(long)) {
            for (long group = groups.first; group < groups.last; group++) (own.*work)(group);
            meet();
        };
        auto each_row = [&](auto work) {
            const Share mine(rows.count);
            for (long row = mine.first; row < mine.last; row++) work(row);
            meet();
        };
        for (long first = 0; first < layer.rows; first += layer.held) {
#pragma omp single
            rows.begin(first);
            own.begin();
            each_row([&](long row) { rows.take(row); });
            each_group(&Bench::score);
            each_row([&](long row) {
                rows.top[row] = NOTHING;
                for (const Bench& one : benches) rows.top[row] = std::max(rows.top[row], one.most[row]);
            });
            each_group(&Bench::raise);
            each_row([&](long row) {
                double whole = 0, all = 0;
                for (const Bench& one : benches) whole += one.total[row], all += one.all[row];
                rows.share[row] = float(1 / whole);
                double& nats = layer.nats[first + row];
                nats = rows.top[row] + std::log(whole) - (1. - layer.smoothing) * rows.right[row];
                if (layer.smoothing) nats -= layer.smoothing * all / double(layer.classes);
            });
            each_group(&Bench::go_back);
            each_row([&](long row) {
                float* to = layer.d_inputs + (first + row) * layer.size;
                std::fill_n(to, layer.size, 0.f);
                for (const Bench& one : benches)
                    for (long k = 0; k < layer.size; k++) to[k] += one.d_inputs[row * rows.inputs.pitch + k];
            });
        }
    }
}
