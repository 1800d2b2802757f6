// A layer of self-attention and its gradient: norm, attention, norm, two linear layers, each half added to its input.
// Rows of positions pass through a half while they lie in cache. Mirrored by seqlab/native/transformer.py.
#include <memory>
#include <utility>

#include "attention_head.h"

constexpr long PANEL = 2 * LANES;  // columns of a matrix that lie side by side
constexpr long ROWS = 48;          // positions that pass through a half together
constexpr long TOKENS = 192;       // positions whose products are added to a gradient of weights together

// Matrices (columns, inner) as torch's linear layers keep them, gains and biases; null for what there is not.
template <class Numbers>
struct Weights {
    Numbers first, first_shift, inputs, inputs_bias, output, output_bias, second, second_shift, up, up_bias, down,
        down_bias;
};

struct Layer {
    int64_t batch, time, size, heads, inner, threads;
    bool causal, relu, added;  // added: whether d_projected holds a gradient already
    float epsilon;
    Weights<const float*> weights;
    Weights<float*> d_weights;
    const float *cos, *sin;        // (time, size / heads), or null
    const bool* seen;              // (batch, time), or null
    const float *mask_1, *mask_2;  // of dropout, (positions, size), or null
    const float* x;                // (positions, size), as y, d_y and d_x
    float *projected, *y, *kept;   // projected (positions, 3 size); kept: room for Kept, from forward to backward
    const float* d_y;
    float *d_projected, *d_x, *room;  // room: for Between
    float* panels;                    // room for Panels

    long positions() const { return batch * time; }
};

// Takes pieces of a buffer one after the other.
struct Pieces {
    float* next;
    float* take(long count) { return std::exchange(next, next + count); }
};

// moments: mean and 1 / deviation of each position before a norm; inside (positions, inner), as the slopes of the
// activation; the others (positions, size).
struct Kept {
    float *moments_1, *moments_2, *normed_1, *mixed, *middle, *normed_2, *inside, *slopes;

    explicit Kept(const Layer& layer) {
        const long rows = layer.positions();
        Pieces of{layer.kept};
        for (float** one : {&moments_1, &moments_2}) *one = of.take(2 * rows);
        for (float** one : {&normed_1, &mixed, &middle, &normed_2}) *one = of.take(rows * layer.size);
        for (float** one : {&inside, &slopes}) *one = of.take(rows * layer.inner);
    }
};

// Gradients of what lies between input and output; d_down and d_output of what goes into a dropout.
struct Between {
    float *d_down, *d_normed_2, *d_middle, *d_output, *d_mixed, *d_normed_1, *d_inside;

    explicit Between(const Layer& layer) {
        const long rows = layer.positions();
        Pieces of{layer.room};
        for (float** one : {&d_down, &d_normed_2, &d_middle, &d_output, &d_mixed, &d_normed_1})
            *one = of.take(rows * layer.size);
        d_inside = of.take(rows * layer.inner);
    }
};

// The matrices as products need them.
struct Panels {
    float *inputs, *output, *up, *down;

    explicit Panels(const Layer& layer) {
        Pieces of{layer.panels};
        inputs = of.take(3 * layer.size * layer.size), output = of.take(layer.size * layer.size);
        up = of.take(layer.size * layer.inner), down = of.take(layer.size * layer.inner);
    }
};

// The first columns of b (inner, columns) as a panel (inner, PANEL).
static void pack(const float* b, long inner, long columns, float* panel) {
    for (long k = 0; k < inner; k++) std::memcpy(panel + k * PANEL, b + k * columns, PANEL * sizeof(float));
}

// The first rows of b (columns, inner), turned into a panel.
static void pack_turned(const float* b, long inner, float* panel) {
    for (long j = 0; j < PANEL; j++)
        for (long k = 0; k < inner; k++) panel[k * PANEL + j] = b[j * inner + k];
}

// A matrix for products with the inputs of its linear layer, or with the gradient of its outputs.
static void pack(const float* weight, long inner, long columns, bool backward, float* panels) {
    const Share mine(backward ? inner : columns, PANEL);
    for (long at = mine.first; at < mine.last; at += PANEL)
        if (backward) pack(weight + at, columns, inner, panels + at * columns);
        else pack_turned(weight + at * inner, inner, panels + at * inner);
}

static void pack(const Layer& layer, const Panels& panels, bool backward) {
    pack(layer.weights.inputs, layer.size, 3 * layer.size, backward, panels.inputs);
    pack(layer.weights.output, layer.size, layer.size, backward, panels.output);
    pack(layer.weights.up, layer.size, layer.inner, backward, panels.up);
    pack(layer.weights.down, layer.inner, layer.size, backward, panels.down);
}

// c = a b of some rows, with b (inner, columns) in panels.
static void through(const float* a, const float* panels, float* c, long rows, long inner, long columns) {
    for (long at = 0; at < columns; at += PANEL)
        multiply(a, inner, 1, panels + at * inner, PANEL, c + at, columns, rows, inner, PANEL);
}

// Floats from one strip to the next; not a power of two, or many would fall on the same lines of the cache.
template <long WIDE>
constexpr long STRIDE = TOKENS * WIDE + 16;

// Some columns of rows of numbers in strips (columns / WIDE, count, WIDE), read as they lie in memory.
template <long WIDE>
static void cut(const float* from, long pitch, long first, long last, long count, float* strips) {
    for (long t = 0; t < count; t++) {
        const float* row = from + t * pitch;
        float* to = strips + first / WIDE * STRIDE<WIDE> + t * WIDE;
        long at = first;
        for (; at + WIDE <= last; at += WIDE, to += STRIDE<WIDE>) std::memcpy(to, row + at, WIDE * sizeof(float));
        for (long i = 0; i < last - at; i++) to[i] = row[at + i];
    }
}

// Room for both factors of a gradient of weights, cut into strips and panels.
struct Strips {
    std::unique_ptr<float[]> a, b;
    Strips(long wide, long size, long inner)
        : a(new float[divided(std::max(wide, inner), STRIP) * STRIDE<STRIP>]),
          b(new float[std::max(size, inner) / PANEL * STRIDE<PANEL>]) {}
};

// to (rows, columns) = a^T b with a (tokens, rows) and b (tokens, columns), of the rows that are this thread's. A panel
// of b lies in cache while strips of a pass over it.
static void outer(const float* a, long rows, const float* b, long columns, float* to, long tokens, Strips& cuts) {
    float *strips = cuts.a.get(), *panels = cuts.b.get();
    const Share mine(rows, STRIP);
    for (long token = 0; token < tokens; token += TOKENS) {
        const long count = std::min(TOKENS, tokens - token);
        cut<STRIP>(a + token * rows, rows, mine.first, mine.last, count, strips);
        cut<PANEL>(b + token * columns, columns, 0, columns, count, panels);
        for (long at = 0; at < columns; at += PANEL)
            for (long row = mine.first; row < mine.last; row += STRIP)
                multiply(strips + row / STRIP * STRIDE<STRIP>, 1, STRIP, panels + at / PANEL * STRIDE<PANEL>, PANEL,
                         to + row * columns + at, columns, std::min(STRIP, mine.last - row), count, PANEL, token > 0);
    }
}

static void add_bias(float* rows_of, const float* bias, long rows, long width) {
    if (!bias) return;
    for (long r = 0; r < rows; r++)
        for (long i = 0; i < width; i++) rows_of[r * width + i] += bias[i];
}

// to (width,) = sum of rows, of the columns that are this thread's.
static void sum_rows(const float* from, long rows, long width, float* to) {
    if (!to) return;
    const Share mine(width, LANES);
    for (long at = mine.first; at < mine.last; at += LANES) {
        V total = {};
        for (long r = 0; r < rows; r++) total += load(from + r * width + at);
        store(to + at, total);
    }
}

// Of some rows: to = gain (x - mean) / deviation + shift.
static void normalize(const float* x, const float* gain, const float* shift, float epsilon, float* moments, float* to,
                      long rows, long width) {
    for (long r = 0; r < rows; r++, x += width, to += width, moments += 2) {
        V total = {}, squares = {};
        for (long at = 0; at < width; at += LANES) total += load(x + at);
        const float mean = sum(total) / width;
        for (long at = 0; at < width; at += LANES) {
            const V apart = load(x + at) - mean;
            squares += apart * apart;
        }
        const float scale = 1 / std::sqrt(sum(squares) / width + epsilon);
        moments[0] = mean, moments[1] = scale;
        for (long i = 0; i < width; i++) to[i] = (x[i] - mean) * scale * gain[i] + (shift ? shift[i] : 0);
    }
}

// d_x = more + the gradient of what was normalized, from that of the result.
static void d_normalize(const float* x, const float* gain, const float* moments, const float* d_to, const float* more,
                        float* d_x, long rows, long width) {
    for (long r = 0; r < rows; r++, x += width, d_to += width, more += width, d_x += width, moments += 2) {
        const float mean = moments[0], scale = moments[1];
        V total = {}, along = {};
        for (long at = 0; at < width; at += LANES) {
            const V d = load(d_to + at) * load(gain + at);
            total += d, along += d * ((load(x + at) - mean) * scale);
        }
        const float even = sum(total) / width, slope = sum(along) / width;
        for (long i = 0; i < width; i++)
            d_x[i] = more[i] + scale * (d_to[i] * gain[i] - even - (x[i] - mean) * scale * slope);
    }
}

// Of the gain and the shift, in the columns that are this thread's.
static void d_gains(const float* x, const float* moments, const float* d_to, long rows, long width, float* d_gain,
                    float* d_shift) {
    const Share mine(width, LANES);
    for (long at = mine.first; at < mine.last; at += LANES) {
        V total = {};
        for (long r = 0; r < rows; r++)
            total += load(d_to + r * width + at) * ((load(x + r * width + at) - moments[2 * r]) * moments[2 * r + 1]);
        store(d_gain + at, total);
    }
    sum_rows(d_to, rows, width, d_shift);
}

// y = x P(x), with the normal distribution P by Abramowitz & Stegun 7.1.26, and y' = P + x P'.
static void gelu(float* values, float* slopes, long count) {
    for (long at = 0; at < count; at += LANES) {
        const V x = load(values + at), size = x < 0.f ? -x : x, bell = exponential_of_negative(-0.5f * x * x);
        const V t = 1.f / (1.f + 0.231641888f * size);
        V tail = 1.061405429f * t - 1.453152027f;
        tail = tail * t + 1.421413741f;
        tail = tail * t - 0.284496736f;
        tail = (tail * t + 0.254829592f) * t * bell * 0.5f;
        const V share = x < 0.f ? tail : 1.f - tail;
        store(values + at, x * share);
        store(slopes + at, share + 0.398942280f * x * bell);
    }
}

static void relu(float* values, float* slopes, long count) {
    for (long i = 0; i < count; i++) {
        slopes[i] = values[i] > 0 ? 1.f : 0.f;
        values[i] = values[i] < 0 ? 0.f : values[i];
    }
}

// to = x + mask * to, or x + to without a mask.
static void add(const float* x, const float* mask, float* to, long count) {
    for (long i = 0; i < count; i++) to[i] = x[i] + (mask ? mask[i] * to[i] : to[i]);
}

static void scale(const float* a, const float* b, float* to, long count) {
    for (long i = 0; i < count; i++) to[i] = a[i] * b[i];
}

template <class Do>
static void each_block(long positions, Do with) {
    const Share mine(positions, ROWS);
    for (long row = mine.first; row < mine.last; row += ROWS) with(row, std::min(ROWS, mine.last - row));
}

template <class Do>
static void each_head(const Layer& layer, Do with) {
    const Share mine(layer.batch * layer.heads);
    const long size = layer.size / layer.heads;
    Head head({layer.time, size, 3 * layer.size, layer.cos, layer.sin, layer.causal});
    for (long one = mine.first; one < mine.last; one++) {
        const long row = one / layer.heads * layer.time, column = one % layer.heads * size;
        const float* q = layer.projected + row * 3 * layer.size + column;
        head.read(q, q + layer.size, q + 2 * layer.size, layer.seen ? layer.seen + row : nullptr);
        with(head, row, column);
    }
}

// By all threads of a parallel region, as backward.
static void forward(const Layer& layer) {
    const Weights<const float*>& weights = layer.weights;
    const Kept kept(layer);
    const Panels panels(layer);
    const long size = layer.size, wide = 3 * size, inner = layer.inner;
    pack(layer, panels, false);
    meet();
    each_block(layer.positions(), [&](long row, long rows) {
        const long at = row * size;
        float* projected = layer.projected + row * wide;
        normalize(layer.x + at, weights.first, weights.first_shift, layer.epsilon, kept.moments_1 + 2 * row,
                  kept.normed_1 + at, rows, size);
        through(kept.normed_1 + at, panels.inputs, projected, rows, size, wide);
        add_bias(projected, weights.inputs_bias, rows, wide);
    });
    meet();
    each_head(layer, [&](Head& head, long row, long column) { head.mix(kept.mixed + row * size + column, size); });
    meet();
    each_block(layer.positions(), [&](long row, long rows) {
        const long at = row * size;
        float *middle = kept.middle + at, *inside = kept.inside + row * inner, *y = layer.y + at;
        through(kept.mixed + at, panels.output, middle, rows, size, size);
        add_bias(middle, weights.output_bias, rows, size);
        add(layer.x + at, layer.mask_1 ? layer.mask_1 + at : nullptr, middle, rows * size);
        normalize(middle, weights.second, weights.second_shift, layer.epsilon, kept.moments_2 + 2 * row,
                  kept.normed_2 + at, rows, size);
        through(kept.normed_2 + at, panels.up, inside, rows, size, inner);
        add_bias(inside, weights.up_bias, rows, inner);
        (layer.relu ? relu : gelu)(inside, kept.slopes + row * inner, rows * inner);
        through(inside, panels.down, y, rows, inner, size);
        add_bias(y, weights.down_bias, rows, size);
        add(middle, layer.mask_2 ? layer.mask_2 + at : nullptr, y, rows * size);
    });
}

static void backward(const Layer& layer) {
    const Weights<const float*>& weights = layer.weights;
    const Weights<float*>& d_weights = layer.d_weights;
    const Kept kept(layer);
    const Between between(layer);
    const Panels panels(layer);
    const long size = layer.size, wide = 3 * size, inner = layer.inner, positions = layer.positions();
    const float* d_down = layer.mask_2 ? between.d_down : layer.d_y;
    const float* d_output = layer.mask_1 ? between.d_output : between.d_middle;
    pack(layer, panels, true);
    meet();
    each_block(positions, [&](long row, long rows) {
        const long at = row * size, within = row * inner;
        float *d_inside = between.d_inside + within, *d_middle = between.d_middle + at;
        if (layer.mask_2) scale(layer.d_y + at, layer.mask_2 + at, between.d_down + at, rows * size);
        through(d_down + at, panels.down, d_inside, rows, size, inner);
        scale(d_inside, kept.slopes + within, d_inside, rows * inner);
        through(d_inside, panels.up, between.d_normed_2 + at, rows, inner, size);
        d_normalize(kept.middle + at, weights.second, kept.moments_2 + 2 * row, between.d_normed_2 + at,
                    layer.d_y + at, d_middle, rows, size);
        if (layer.mask_1) scale(d_middle, layer.mask_1 + at, between.d_output + at, rows * size);
        through(d_output + at, panels.output, between.d_mixed + at, rows, size, size);
    });
    meet();
    each_head(layer, [&](Head& head, long row, long column) {
        float* d_q = layer.d_projected + row * wide + column;
        head.backward(between.d_mixed + row * size + column, size, d_q, d_q + size, d_q + 2 * size, layer.added);
    });
    meet();
    each_block(positions, [&](long row, long rows) {
        const long at = row * size;
        through(layer.d_projected + row * wide, panels.inputs, between.d_normed_1 + at, rows, wide, size);
        d_normalize(layer.x + at, weights.first, kept.moments_1 + 2 * row, between.d_normed_1 + at,
                    between.d_middle + at, layer.d_x + at, rows, size);
    });
    meet();
    Strips strips(wide, size, inner);
    outer(d_down, size, kept.inside, inner, d_weights.down, positions, strips);
    outer(between.d_inside, inner, kept.normed_2, size, d_weights.up, positions, strips);
    outer(d_output, size, kept.mixed, size, d_weights.output, positions, strips);
    outer(layer.d_projected, wide, kept.normed_1, size, d_weights.inputs, positions, strips);
    sum_rows(d_down, positions, size, d_weights.down_bias);
    sum_rows(between.d_inside, positions, inner, d_weights.up_bias);
    sum_rows(d_output, positions, size, d_weights.output_bias);
    sum_rows(layer.d_projected, positions, wide, d_weights.inputs_bias);
    d_gains(layer.x, kept.moments_1, between.d_normed_1, positions, size, d_weights.first, d_weights.first_shift);
    d_gains(kept.middle, kept.moments_2, between.d_normed_2, positions, size, d_weights.second,
            d_weights.second_shift);
}

// The lowest first, each an input of the next.
extern "C" void layers_forward(const Layer* layers, int64_t count) {
#pragma omp parallel num_threads(layers->threads)
    for (long at = 0; at < count; at++) {
        forward(layers[at]);
        meet();
    }
}

extern "C" void layers_backward(const Layer* layers, int64_t count) {
#pragma omp parallel num_threads(layers->threads)
    for (long at = count; at-- > 0;) {
        backward(layers[at]);
        meet();
    }
}
