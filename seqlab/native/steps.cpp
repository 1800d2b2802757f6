// One step of stacked recurrent layers and of the output layer above them. Mirrored by seqlab/native/steps.py.
#define LANE_BYTES 32  // so that two vectors hold UNITS of steps.py

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "small_products.h"

constexpr int WIDE = 2;              // vectors of a panel
constexpr long UNITS = WIDE * LANES;  // columns of a panel

// Matrices are packed as (panels, gates, inner, UNITS).
struct Layer {
    const float *inputs, *bias, *recurrent, *recurrent_bias;  // the output layer has no recurrent ones
    int64_t below, size, at;                                  // inputs, units, where its state begins in a row
};

static V sigmoid(V x) { return 1.f / (1.f + exponential(-clamp(x, -87.f, 87.f))); }

static V tanh(V x) { return 2.f * sigmoid(2.f * x) - 1.f; }

// The equations of seqlab/cells: x and h are the products of a unit's gates with inputs and state, each with its bias,
// and `state` has its parts, before and then after.
struct Gru {
    static constexpr int GATES = 3, PARTS = 1;
    static void step(const V* x, const V* h, V* state) {
        const V r = sigmoid(x[0] + h[0]), z = sigmoid(x[1] + h[1]), n = tanh(x[2] + r * h[2]);
        state[0] = n + z * (state[0] - n);
    }
};

struct Lstm {
    static constexpr int GATES = 4, PARTS = 2;
    static void step(const V* x, const V* h, V* state) {
        const V i = sigmoid(x[0] + h[0]), f = sigmoid(x[1] + h[1]), g = tanh(x[2] + h[2]), o = sigmoid(x[3] + h[3]);
        state[1] = f * state[1] + i * g;
        state[0] = o * tanh(state[1]);
    }
};

struct Tanh {
    static constexpr int GATES = 1, PARTS = 1;
    static void step(const V* x, const V* h, V* state) { state[0] = tanh(x[0] + h[0]); }
};

struct Relu {
    static constexpr int GATES = 1, PARTS = 1;
    static void step(const V* x, const V* h, V* state) {
        const V sum = x[0] + h[0];
        state[0] = sum > 0 ? sum : V{};
    }
};

// sums (rows, GATES, UNITS) = a (rows, inner) @ the panels of all gates. Of one row the gates are taken together, so
// that enough sums are under way; of several, a panel stays in the first cache for all of them.
template <int GATES>
void products(float* sums, const float* a, long pitch, long rows, const float* panels, long inner) {
    if (rows > 1) {
        for (int g = 0; g < GATES; g++)
            multiply(a, pitch, 1, panels + g * inner * UNITS, UNITS, sums + g * UNITS, GATES * UNITS, rows, inner,
                     UNITS);
        return;
    }
    V own[GATES][WIDE] = {};
    for (long k = 0; k < inner; k++)
#pragma GCC unroll 4
        for (int g = 0; g < GATES; g++)
#pragma GCC unroll 2
            for (int w = 0; w < WIDE; w++) own[g][w] += a[k] * load(panels + (g * inner + k) * UNITS + w * LANES);
    std::memcpy(sums, own, sizeof own);
}

// sums (rows, GATES, UNITS) = the columns of ids in the panels of all gates.
template <int GATES>
void columns(float* sums, const int64_t* ids, long rows, const float* panels, long inner) {
    for (long row = 0; row < rows; row++)
        for (long g = 0; g < GATES; g++)
            std::copy_n(panels + (g * inner + ids[row]) * UNITS, UNITS, sums + (row * GATES + g) * UNITS);
}

// Ids, and states (count, pitch) before and after.
struct Rows {
    const int64_t* ids;
    const float* before;
    float* after;
    int64_t pitch, count;
};

// The units of a panel; x and h have room for the products of all rows.
template <class Cell>
void units(const Layer& own, bool lowest, long panel, const Rows& rows, float* x, float* h) {
    constexpr int GATES = Cell::GATES;
    const long first = panel * GATES * UNITS;
    const float* inputs = own.inputs + first * own.below;
    if (lowest) columns<GATES>(x, rows.ids, rows.count, inputs, own.below);
    else products<GATES>(x, rows.after + (&own)[-1].at, rows.pitch, rows.count, inputs, own.below);
    products<GATES>(h, rows.before + own.at, rows.pitch, rows.count, own.recurrent + first * own.size, own.size);
    for (long row = 0; row < rows.count; row++)
        for (long lane = 0; lane < UNITS; lane += LANES) {
            const long at = row * rows.pitch + own.at + panel * UNITS + lane, place = row * GATES * UNITS + lane;
            V given[GATES], fed_back[GATES], state[Cell::PARTS];
#pragma GCC unroll 4
            for (int g = 0; g < GATES; g++) {
                given[g] = load(x + place + g * UNITS) + load(own.bias + first + lane + g * UNITS);
                fed_back[g] = load(h + place + g * UNITS) + load(own.recurrent_bias + first + lane + g * UNITS);
            }
#pragma GCC unroll 2
            for (int p = 0; p < Cell::PARTS; p++) state[p] = load(rows.before + at + p * own.size);
            Cell::step(given, fed_back, state);
#pragma GCC unroll 2
            for (int p = 0; p < Cell::PARTS; p++) store(rows.after + at + p * own.size, state[p]);
        }
}

// From ids to logits (rows, size of the last layer), which is the output layer. A thread takes some units of all rows.
template <class Cell>
void step(const Layer* layers, long depth, const Rows& rows, float* logits, long threads) {
    const Layer &last = layers[depth - 1], &top = layers[depth - 2];
#pragma omp parallel num_threads(threads)
    {
        std::vector<float> x(rows.count * Cell::GATES * UNITS), h(x.size());
        for (const Layer* own = layers; own < &last; own++) {
            const Share mine(own->size / UNITS);
            for (long panel = mine.first; panel < mine.last; panel++)
                units<Cell>(*own, own == layers, panel, rows, &x[0], &h[0]);
            meet();
        }
        const Share mine(last.size / UNITS);
        for (long panel = mine.first; panel < mine.last; panel++) {
            products<1>(&x[0], rows.after + top.at, rows.pitch, rows.count, last.inputs + panel * top.size * UNITS,
                        top.size);
            for (long row = 0; row < rows.count; row++)
                for (long unit = 0; unit < UNITS; unit++)
                    logits[row * last.size + panel * UNITS + unit] =
                        x[row * UNITS + unit] + last.bias[panel * UNITS + unit];
        }
    }
}

extern "C" int64_t draw_float(const float* logits, int64_t pitch, const double* uniform, const double* temperatures,
                              const int64_t* banned, int64_t num_banned, int64_t top_k, double top_p, int64_t* ids,
                              int64_t rows, int64_t size, int64_t threads);

// Draws from logits and steps, `tokens` times, and writes ids (tokens, rows); the state ends in `even` after an even
// number of steps, otherwise in `odd`. Returns how many there are: fewer if a row has no distribution.
template <class Cell>
int64_t steps(const Layer* layers, long depth, float* even, float* odd, long pitch, float* logits,
              const double* uniform, const double* temperatures, const int64_t* banned, long num_banned, long top_k,
              double top_p, int64_t* ids, long rows, long size, long threads, long tokens) {
    for (long t = 0; t < tokens; t++, ids += rows, uniform += rows) {
        if (!draw_float(logits, layers[depth - 1].size, uniform, temperatures, banned, num_banned, top_k, top_p, ids,
                        rows, size, 1))
            return t;
        step<Cell>(layers, depth, {ids, even, odd, pitch, rows}, logits, threads);
        std::swap(even, odd);
    }
    return tokens;
}

#define STEP(name, Cell)                                                                                              \
    extern "C" void name##_step(const Layer* layers, int64_t depth, const int64_t* ids, const float* before,          \
                                float* after, int64_t pitch, float* logits, int64_t rows, int64_t threads) {          \
        step<Cell>(layers, depth, {ids, before, after, pitch, rows}, logits, threads);                                \
    }                                                                                                                 \
    extern "C" int64_t name##_steps(const Layer* layers, int64_t depth, float* even, float* odd, int64_t pitch,       \
                                    float* logits, const double* uniform, const double* temperatures,                 \
                                    const int64_t* banned, int64_t num_banned, int64_t top_k, double top_p,           \
                                    int64_t* ids, int64_t rows, int64_t size, int64_t threads, int64_t tokens) {      \
        return steps<Cell>(layers, depth, even, odd, pitch, logits, uniform, temperatures, banned, num_banned, top_k, \
                           top_p, ids, rows, size, threads, tokens);                                                  \
    }
STEP(gru, Gru)
STEP(lstm, Lstm)
STEP(rnn_tanh, Tanh)
STEP(rnn_relu, Relu)
