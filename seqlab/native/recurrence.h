// A recurrence over all time steps. Either every thread owns some of the units: it takes the recurrent product of all
// their gates, then their equations, and waits for the others once a step. Or, where the weights are small enough for
// each to read all of them, it owns some of the rows of the batch, and waits for nobody.
#pragma once
#include <omp.h>

#include <memory>
#include <optional>

#include "bfloat16.h"

// Mirrored by seqlab/native/kernels.py. Time is the first axis of every buffer, the batch the second.
struct Run {
    int64_t time, batch, size, threads;
    int64_t low;          // whether products are taken in bfloat16
    int64_t first, last;  // rows of the batch to be run
    const float* weight;      // (gates * size, size)
    const float* vectors[3];  // peepholes, or gains and shifts
    float* blocks;            // (time, batch, blocks * size): projected inputs, then the gates
    float* states[2];         // (time + 1, batch, size)
    float* kept[1];           // what else the way back needs
    float* moments[4];        // (time, batch): mean and 1 / deviation of one normalization, then of another
    float* d_blocks;          // (time, batch, blocks * size): gradients of the gates before their nonlinearities
    float* d_kept[2];
    const float* incoming[2];  // (time, batch, size) or null
    float* d_states[2];        // (batch, size): gradients of the state that the walk has reached
    float* packed;  // (gates * size, size rounded up): the weights as products read them
    float* sums;    // (64, gates * size rounded up)
};

// Some units of a row at a step.
template <class Cell>
struct Place {
    const Run& run;
    long t, row, unit;
    int lanes;

    long at(long step, long width, long column) const {
        return (step * run.batch + row) * width * run.size + column * run.size + unit;
    }
    V block(int b) const { return load(run.blocks + at(t, Cell::blocks, b), lanes); }
    void block(int b, V v) const { store(run.blocks + at(t, Cell::blocks, b), v, lanes); }
    V d_block(int b) const { return load(run.d_blocks + at(t, Cell::blocks, b), lanes); }
    void d_block(int b, V v) const { store(run.d_blocks + at(t, Cell::blocks, b), v, lanes); }
    V before(int s) const { return load(run.states[s] + at(t, 1, 0), lanes); }
    V after(int s) const { return load(run.states[s] + at(t + 1, 1, 0), lanes); }
    void after(int s, V v) const { store(run.states[s] + at(t + 1, 1, 0), v, lanes); }
    V d_state(int s) const { return load(run.d_states[s] + at(0, 1, 0), lanes); }
    void d_state(int s, V v) const { store(run.d_states[s] + at(0, 1, 0), v, lanes); }
    V incoming(int s) const { return run.incoming[s] ? load(run.incoming[s] + at(t, 1, 0), lanes) : V{}; }
    V kept(int k, int width = 1, int column = 0) const { return load(run.kept[k] + at(t, width, column), lanes); }
    void kept(int k, V v, int width = 1, int column = 0) const { store(run.kept[k] + at(t, width, column), v, lanes); }
    V d_kept(int k, int width = 1, int column = 0) const { return load(run.d_kept[k] + at(t, width, column), lanes); }
    void d_kept(int k, V v, int width = 1, int column = 0) const {
        store(run.d_kept[k] + at(t, width, column), v, lanes);
    }
    V vector(int i, int column = 0) const { return load(run.vectors[i] + column * run.size + unit, lanes); }
};

inline int lanes_at(const Run& run, long unit) { return int(std::min<long>(LANES, run.size - unit)); }

struct Share {
    long first, last;
    explicit Share(long count) {
        long id = omp_get_thread_num(), threads = omp_get_num_threads();
        first = count * id / threads, last = count * (id + 1) / threads;
    }
};

template <int... GATES>
struct Gates {
    static constexpr int count = sizeof...(GATES);
    static constexpr int rows[] = {GATES...};
};

// Blocks of LANES units, the last of which may be cut short.
inline long unit_blocks(const Run& run) { return (run.size + LANES - 1) / LANES; }

// A product that every thread takes for the units it owns, of which each has COLUMNS vectors.
template <int COLUMNS>
struct Product {
    const Run& run;
    Share mine;
    long depth, columns;
    float* packed;
    std::unique_ptr<Line[]> operands;

    static long floats(const Run& run, long depth) {
        return unit_blocks(run) * COLUMNS * LANES * rounded_up(depth, PAIRED);
    }

    Product(const Run& run, long depth, float* packed)
        : run(run), mine(unit_blocks(run)), depth(depth), columns((mine.last - mine.first) * COLUMNS),
          packed(packed + mine.first * COLUMNS * LANES * rounded_up(depth, PAIRED)) {
        if (run.low) operands.reset(new Line[ROWS * rounded_up(depth, PAIRED) / PAIRED]);
    }

    // Lays the weights out: `fill` writes one column of a panel, vectors `pitch` floats apart, for LANES units.
    template <class Fill>
    void pack(Fill fill) {
        auto column_of = [&](float* panel, long pitch, long column) {
            fill(panel, pitch, (mine.first + column / COLUMNS) * LANES, column % COLUMNS);
        };
        if (!run.low) {
            each_panel(columns, [&](long first, long count) {
                for (long i = 0; i < count; i++)
                    column_of(packed + first * LANES * depth + i * LANES, count * LANES, first + i);
            });
            return;
        }
        std::unique_ptr<float[]> precise(new float[depth * LANES]);
        for (long column = 0; column < columns; column++) {
            const long first = column & ~1L, count = std::min(2L, columns - first), tile = 16 * PAIRED;
            uint16_t* panel = reinterpret_cast<uint16_t*>(packed) + first * LANES * rounded_up(depth, PAIRED);
            column_of(precise.get(), LANES, column);
            pack_low(precise.get(), depth, panel + (column - first) * tile, count * tile);
        }
    }

    // Of operands (batch, depth), or of none, which sum to zero; then hands the sums of every row to `take`.
    template <class Cell, class Take>
    void step(long t, const float* operand, long stride, Take take) const {
        V* own = reinterpret_cast<V*>(run.sums) + mine.first * COLUMNS * ROWS;
        for (long first = run.first; first < run.last; first += ROWS) {
            const long rows = std::min<long>(ROWS, run.last - first);
            if (operand) multiply(operand + first * stride, stride, rows, own);
            else std::fill(own, own + rows * columns, V{});
            for (long row = 0; row < rows; row++)
                for (long block = mine.first; block < mine.last; block++)
                    take(Place<Cell>{run, t, first + row, block * LANES, lanes_at(run, block * LANES)},
                         own + row * columns + (block - mine.first) * COLUMNS);
        }
    }

    void multiply(const float* a, long stride, long rows, V* own) const {
        if (!run.low) return product(a, stride, rows, packed, depth, own, columns);
        pack_operands(a, stride, rows, depth, operands[0].values);
        product_low(operands[0].values, rows, reinterpret_cast<const uint16_t*>(packed), depth, own, columns);
    }
};

// What a few gates take of an operand, on the way forward.
template <class Rows>
struct Forward : Product<Rows::count> {
    Forward(const Run& run, float* packed) : Product<Rows::count>(run, run.size, packed) {
        this->pack([&](float* panel, long pitch, long unit, long gate) {
            for (int lane = 0; lane < LANES; lane++) {
                const bool real = unit + lane < run.size;
                const float* from = run.weight + (Rows::rows[gate] * run.size + (real ? unit + lane : 0)) * run.size;
                for (long k = 0; k < run.size; k++) panel[k * pitch + lane] = real ? from[k] : 0.f;
            }
        });
    }
    static long floats(const Run& run) { return Product<Rows::count>::floats(run, run.size); }
};

// The gradient of an operand from that of a few gates, which lie side by side, on the way back.
template <class Rows>
struct Backward : Product<1> {
    Backward(const Run& run, float* packed) : Product<1>(run, Rows::count * run.size, packed) {
        this->pack([&](float* panel, long pitch, long unit, long) {
            for (long k = 0; k < depth; k++) {
                const float* from = run.weight + (Rows::rows[k / run.size] * run.size + k % run.size) * run.size;
                store(panel + k * pitch, load(from + unit, lanes_at(run, unit)));
            }
        });
    }
    static long floats(const Run& run) { return Product<1>::floats(run, Rows::count * run.size); }
};

// Runs all rows in one team, or those of each thread by itself.
template <void (*RUN)(const Run&)>
void divided(const Run& run, bool by_rows, long packed, long sums) {
    if (!by_rows) return RUN(run);
#pragma omp parallel num_threads(run.threads)
    {
        const long thread = omp_get_thread_num();
        const Share rows(run.batch);
        Run own = run;
        own.threads = 1, own.first = rows.first, own.last = rows.last;
        own.packed += thread * packed, own.sums += thread * sums;
        RUN(own);
    }
}

// A cell with one product a step, of all its gates with h.
template <class Cell>
void plain_forward(const Run& run) {
    using ToGates = Forward<typename Cell::Order>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        ToGates to_gates(run, run.packed);
        for (long t = 0; t < run.time; t++) {
            to_gates.template step<Cell>(t, run.states[0] + t * run.batch * run.size, run.size,
                                        [](Place<Cell> at, V* sums) { Cell::forward(at, sums); });
#pragma omp barrier
        }
    }
}

template <class Cell>
void plain_backward(const Run& run) {
    using FromGates = Backward<typename Cell::Order>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        FromGates from_gates(run, run.packed);
        const long stride = Cell::blocks * run.size, step = run.batch * stride;
        for (long t = run.time - 1; t >= 0; t--) {
            const float* gradient = t + 1 < run.time ? run.d_blocks + (t + 1) * step : nullptr;
            from_gates.template step<Cell>(t, gradient, stride, [](Place<Cell> at, V* sums) {
                at.d_state(0, Cell::backward(at, sums[0] + at.d_state(0) + at.incoming(0)));
            });
#pragma omp barrier
        }
        from_gates.template step<Cell>(0, run.d_blocks, stride,
                                    [](Place<Cell> at, V* sums) { at.d_state(0, sums[0] + at.d_state(0)); });
    }
}

// A cell whose candidate takes a product of its own, with what a gate leaves of h.
template <class Cell>
void gated_forward(const Run& run) {
    using ToGates = Forward<typename Cell::Order>;
    using ToCandidate = Forward<typename Cell::Candidate>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        ToGates to_gates(run, run.packed);
        ToCandidate to_candidate(run, run.packed + ToGates::floats(run));
        const long step = run.batch * run.size;
        for (long t = 0; t < run.time; t++) {
            to_gates.template step<Cell>(t, run.states[0] + t * step, run.size,
                                         [](Place<Cell> at, V* sums) { Cell::gates(at, sums); });
#pragma omp barrier
            to_candidate.template step<Cell>(t, run.kept[0] + t * step, run.size,
                                             [](Place<Cell> at, V* sums) { Cell::forward(at, sums[0]); });
#pragma omp barrier
        }
    }
}

template <class Cell>
void gated_backward(const Run& run) {
    using FromGates = Backward<typename Cell::Order>;
    using FromCandidate = Backward<typename Cell::Candidate>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        FromGates from_gates(run, run.packed);
        FromCandidate from_candidate(run, run.packed + FromGates::floats(run));
        const long stride = Cell::blocks * run.size, step = run.batch * stride;
        for (long t = run.time - 1; t >= 0; t--) {
            const float* gradient = t + 1 < run.time ? run.d_blocks + (t + 1) * step : nullptr;
            from_gates.template step<Cell>(t, gradient, stride, [](Place<Cell> at, V* sums) {
                V dh = sums[0] + at.d_state(0) + at.incoming(0);
                at.d_state(0, dh);
                Cell::d_candidate(at, dh);
            });
#pragma omp barrier
            const float* d_candidate = run.d_blocks + t * step + (Cell::blocks - 1) * run.size;
            from_candidate.template step<Cell>(t, d_candidate, stride, [](Place<Cell> at, V* sums) {
                at.d_state(0, Cell::backward(at, at.d_state(0), sums[0]));
            });
#pragma omp barrier
        }
        from_gates.template step<Cell>(0, run.d_blocks, stride,
                                       [](Place<Cell> at, V* sums) { at.d_state(0, sums[0] + at.d_state(0)); });
    }
}
