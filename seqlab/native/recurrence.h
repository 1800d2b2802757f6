// A recurrence over all time steps. Either every thread owns some of the units: it takes the recurrent product of all
// their gates, then their equations, and waits for the others once a step. Or, where the weights are small enough for
// each to read all of them, it owns some of the rows of the batch, and waits for nobody.
#pragma once
#include <memory>
#include <optional>

#include "product.h"
#include "tiles.h"

// Mirrored by seqlab/cells/compiled.py. Time is the first axis of every buffer, the batch the second.
struct Run {
    int64_t time, batch, size, threads;
    int64_t parts;            // bfloat16 that a factor of a product is split into; none if it stays float32
    int64_t first, last;      // rows of the batch to be run
    const float* weight;      // (gates * size, size)
    const float* vectors[3];  // peepholes, or gains and shifts
    const float* projected;   // what steps take of their inputs, (time, batch, gates * size) or a row for each id
    const int64_t* ids;       // (time, batch), or null
    float* blocks;            // (time, batch, blocks * size): the gates; projected inputs may lie there before them
    float* states[2];         // (time + 1, batch, size)
    float* kept[1];           // what else the way back needs
    float* moments[4];        // (time, batch): mean and 1 / deviation of one normalization, then of another
    float* d_blocks;          // (time, batch, blocks * size): gradients of the gates before their nonlinearities
    float* d_kept[2];
    const float* incoming[2];  // (time, batch, size) or null
    float* d_states[2];        // (batch, size): gradients of the state that the walk has reached
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
    V projected(int gate) const {
        const long place = t * run.batch + row, from = run.ids ? run.ids[place] : place;
        return load(run.projected + (from * Cell::inputs + gate) * run.size + unit, lanes);
    }
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

inline int lanes_at(const Run& run, long unit) { return int(std::min(LANES, run.size - unit)); }

template <int... GATES>
struct Gates {
    static constexpr int count = sizeof...(GATES);
    static constexpr int rows[] = {GATES...};
};

// A product that every thread takes for the units it owns, of which each has COLUMNS vectors.
template <int COLUMNS>
struct Product {
    const Run& run;
    Share mine;  // of the blocks of LANES units, the last of which may be cut short
    long depth, blocks, columns;
    std::unique_ptr<Line[]> packed, operands, sums;  // weights as products read them; what they multiply, in parts

    Product(const Run& run, long depth)
        : run(run), mine(divided(run.size, LANES)), depth(depth), blocks(divided(depth, PAIRED)),
          columns((mine.last - mine.first) * COLUMNS),
          packed(new Line[run.parts ? rounded_up(columns, 2) * run.parts * blocks * SIDE : columns * depth]),
          operands(run.parts ? new Line[ROWS * blocks * run.parts] : nullptr), sums(new Line[ROWS * columns]) {}

    // Lays the weights out: `fill` writes one column of a panel, vectors `pitch` floats apart, for LANES units.
    template <class Fill>
    void pack(Fill fill) {
        auto column_of = [&](float* panel, long pitch, long column) {
            fill(panel, pitch, (mine.first + column / COLUMNS) * LANES, column % COLUMNS);
        };
        if (run.parts == 0)
            each_panel(columns, [&](long first, long count) {
                for (long i = 0; i < count; i++)
                    column_of(packed[first * depth + i].precise, count * LANES, first + i);
            });
        else if (run.parts == 1) split<1>(column_of);
        else split<3>(column_of);
    }

    // Of operands (batch, depth), or of none, which sum to zero; then hands the sums of every row to `take`.
    template <class Cell, class Take>
    void step(long t, const float* operand, long stride, Take take) const {
        V* own = &sums[0].vector;
        for (long first = run.first; first < run.last; first += ROWS) {
            const long rows = std::min(ROWS, run.last - first);
            if (operand) multiply(operand + first * stride, stride, rows, own);
            else std::fill(own, own + rows * columns, V{});
            for (long row = 0; row < rows; row++)
                for (long block = mine.first; block < mine.last; block++)
                    take(Place<Cell>{run, t, first + row, block * LANES, lanes_at(run, block * LANES)},
                         own + row * columns + (block - mine.first) * COLUMNS);
        }
    }

  private:
    void multiply(const float* a, long stride, long rows, V* own) const {
        if (run.parts == 0) product(a, stride, rows, packed[0].precise, depth, own, columns);
        else if (run.parts == 1) multiply_parts<1>({a, stride, false, rows, depth});
        else multiply_parts<3>({a, stride, false, rows, depth});
    }

    template <int PARTS, class Column>
    void split(Column column_of) {
        std::unique_ptr<float[]> precise(new float[depth * LANES]);
        const Lines lines{precise.get(), LANES, true, LANES, depth};
        for (long column = 0; column < columns; column++) {
            column_of(precise.get(), LANES, column);
            pack_column<PARTS>(lines, 0, 0, blocks, panel<PARTS>(column & ~1L) + (column & 1) * TILE_OF);
        }
    }

    template <int PARTS>
    uint16_t* panel(long column) const {
        return packed[column * blocks * PARTS * SIDE].low;
    }

    // Sums are written for rows rounded up to TILED.
    template <int PARTS>
    void multiply_parts(const Lines& rows) const {
        pack_operands<PARTS>(rows, 0, blocks, operands[0].low);
        settle(operands.get());
        for (long column = 0; column < columns; column += 2) {
            const auto multiply = tiles_for<PARTS>(rows.count > SIDE ? 2 : 1, std::min(2L, columns - column));
            for (long row = 0; row < rows.count; row += TILED)
                multiply(operands[row * blocks * PARTS].low, panel<PARTS>(column), blocks,
                         sums[row * columns + column].precise, columns * LANES, true);
        }
        settle(sums.get());
    }
};

// What a few gates take of an operand, on the way forward.
template <class Rows>
struct Forward : Product<Rows::count> {
    explicit Forward(const Run& run) : Product<Rows::count>(run, run.size) {
        this->pack([&](float* panel, long pitch, long unit, long gate) {
            const Lines units{run.weight + Rows::rows[gate] * run.size * run.size, run.size, false, run.size, run.size};
            for (long k = 0; k < run.size; k += SIDE) {
                const Square part = units.square(unit, k, false);
                for (long i = 0; i < std::min(SIDE, run.size - k); i++) store(panel + (k + i) * pitch, part.rows[i]);
            }
        });
    }
};

// The gradient of an operand from that of a few gates, which lie side by side, on the way back.
template <class Rows>
struct Backward : Product<1> {
    explicit Backward(const Run& run) : Product<1>(run, Rows::count * run.size) {
        this->pack([&](float* panel, long pitch, long unit, long) {
            for (long k = 0; k < this->depth; k++) {
                const float* from = run.weight + (Rows::rows[k / run.size] * run.size + k % run.size) * run.size;
                store(panel + k * pitch, load(from + unit, lanes_at(run, unit)));
            }
        });
    }
};

// Runs all rows in one team, or those of each thread by itself.
template <void (*RUN)(const Run&)>
void run_all(const Run& run, bool by_rows) {
    if (!by_rows) return RUN(run);
#pragma omp parallel num_threads(run.threads)
    {
        const Share rows(run.batch);
        Run own = run;
        own.threads = 1, own.first = rows.first, own.last = rows.last;
        RUN(own);
    }
}

// Has every thread do the work, and holds the tile registers meanwhile where they are needed.
template <class Work>
void team(const Run& run, Work work) {
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.parts) tiles.emplace();
        work();
    }
}

// From the first step to the last: the product of h, which `take` turns into what `rest` and the next step need.
template <class Cell, class Take, class Rest>
void walk(const Run& run, Take take, Rest rest) {
    const Forward<typename Cell::Order> to_gates(run);
    for (long t = 0; t < run.time; t++) {
        to_gates.template step<Cell>(t, run.states[0] + t * run.batch * run.size, run.size, take);
        meet();
        rest(t);
    }
}

// From the last step to the first, likewise: `use` is given the gradient of h, and products are taken of `gradients`,
// (time, batch, width * size).
template <class Cell, class Use, class Rest>
void walk_back(const Run& run, const float* gradients, int width, Use use, Rest rest) {
    const Backward<typename Cell::Order> from_gates(run);
    const long stride = width * run.size, step = run.batch * stride;
    for (long t = run.time - 1; t >= 0; t--) {
        const float* after = t + 1 < run.time ? gradients + (t + 1) * step : nullptr;
        from_gates.template step<Cell>(t, after, stride, [&](const Place<Cell>& at, const V* sums) {
            use(at, sums[0] + at.d_state(0) + at.incoming(0));
        });
        meet();
        rest(t);
    }
    from_gates.template step<Cell>(0, gradients, stride, [](const Place<Cell>& at, const V* sums) {
        at.d_state(0, sums[0] + at.d_state(0));
    });
}

constexpr auto nothing = [](long) {};

// A cell with one product a step, of all its gates with h.
template <class Cell>
void plain_forward(const Run& run) {
    team(run, [&] {
        auto take = [](const Place<Cell>& at, const V* sums) { Cell::forward(at, sums); };
        walk<Cell>(run, take, nothing);
    });
}

template <class Cell>
void plain_backward(const Run& run) {
    team(run, [&] {
        auto use = [](const Place<Cell>& at, V dh) { at.d_state(0, Cell::backward(at, dh)); };
        walk_back<Cell>(run, run.d_blocks, Cell::blocks, use, nothing);
    });
}

// A cell whose candidate takes a product of its own, with what a gate leaves of h.
template <class Cell>
void gated_forward(const Run& run) {
    team(run, [&] {
        const Forward<typename Cell::Candidate> to_candidate(run);
        auto gates = [](const Place<Cell>& at, const V* sums) { Cell::gates(at, sums); };
        walk<Cell>(run, gates, [&](long t) {
            const float* gated = run.kept[0] + t * run.batch * run.size;
            to_candidate.template step<Cell>(t, gated, run.size, [](const Place<Cell>& at, const V* sums) {
                Cell::forward(at, sums[0]);
            });
            meet();
        });
    });
}

template <class Cell>
void gated_backward(const Run& run) {
    team(run, [&] {
        const Backward<typename Cell::Candidate> from_candidate(run);
        const long stride = Cell::blocks * run.size;
        auto use = [](const Place<Cell>& at, V dh) { at.d_state(0, dh), Cell::d_candidate(at, dh); };
        walk_back<Cell>(run, run.d_blocks, Cell::blocks, use, [&](long t) {
            const float* d_candidate = run.d_blocks + t * run.batch * stride + (Cell::blocks - 1) * run.size;
            from_candidate.template step<Cell>(t, d_candidate, stride, [](const Place<Cell>& at, const V* sums) {
                at.d_state(0, Cell::backward(at, at.d_state(0), sums[0]));
            });
            meet();
        });
    });
}
