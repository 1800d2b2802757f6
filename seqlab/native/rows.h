// Cells that normalize over all units of a row: after the product the threads share the rows, not the units.
#pragma once
#include <array>
#include <cmath>

#include "recurrence.h"

constexpr float EPSILON = 1e-5f;  // as in seqlab/cells/tape.py

struct Moments {
    float mean, scale;
    V normed(V x) const { return (x - mean) * scale; }
};

inline V masked(V v, int lanes) {
    for (int i = lanes; i < LANES; i++) v[i] = 0;
    return v;
}

// The gradient of what is normalized, from that of the normalized: two sums over the row, then each value.
struct NormGradient {
    Moments moments;
    float count, mean = 0, slope = 0;
    V total{}, weighted{};

    NormGradient(Moments moments, long count) : moments(moments), count(float(count)) {}
    void add(V gradient, V x) {  // lanes behind the last unit have no gradient
        total += gradient;
        weighted += gradient * moments.normed(x);
    }
    void finish() { mean = sum(total) / count, slope = sum(weighted) / count; }
    V of(V gradient, V x) const { return moments.scale * (gradient - mean - moments.normed(x) * slope); }
};

template <class Cell>
struct Row {
    const Run& run;
    long t, row;

    long size() const { return run.size; }

    template <class Do>
    void each(Do with) const {
        for (long unit = 0; unit < run.size; unit += LANES) with(Place<Cell>{run, t, row, unit, lanes_at(run, unit)});
    }

    Moments moments(int which) const {
        long at = t * run.batch + row;
        return {run.moments[2 * which][at], run.moments[2 * which + 1][at]};
    }

    // Taken of all values that `of` names, and kept for the way back.
    template <class Of>
    Moments moments(int which, Of of) const {
        V total{}, squares{};
        float count = 0;
        each([&](const Place<Cell>& at) {
            for (V v : of(at)) total += v, count += float(at.lanes);
        });
        const float mean = sum(total) / count;
        each([&](const Place<Cell>& at) {
            for (V v : of(at)) v = masked(v - mean, at.lanes), squares += v * v;
        });
        const float scale = 1.f / std::sqrt(sum(squares) / count + EPSILON);
        long at = t * run.batch + row;
        run.moments[2 * which][at] = mean, run.moments[2 * which + 1][at] = scale;
        return {mean, scale};
    }
};

template <class Cell>
void normalized_forward(const Run& run) {
    using ToGates = Forward<typename Cell::Order>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        ToGates to_gates(run, run.packed);
        const Share rows(run.last - run.first);
        for (long t = 0; t < run.time; t++) {
            to_gates.template step<Cell>(t, run.states[0] + t * run.batch * run.size, run.size,
                                        [](Place<Cell> at, V* sums) {
                                            for (int gate = 0; gate < Cell::Order::count; gate++)
                                                at.kept(0, sums[gate], Cell::Order::count, gate);
                                        });
#pragma omp barrier
            for (long row = rows.first; row < rows.last; row++) Cell::forward(Row<Cell>{run, t, run.first + row});
#pragma omp barrier
        }
    }
}

template <class Cell>
void normalized_backward(const Run& run) {
    using FromGates = Backward<typename Cell::Order>;
#pragma omp parallel num_threads(run.threads)
    {
        std::optional<Tiles> tiles;
        if (run.low) tiles.emplace();
        FromGates from_gates(run, run.packed);
        const Share rows(run.last - run.first);
        const long stride = Cell::Order::count * run.size, step = run.batch * stride;
        for (long t = run.time - 1; t >= 0; t--) {
            const float* gradient = t + 1 < run.time ? run.d_kept[0] + (t + 1) * step : nullptr;
            from_gates.template step<Cell>(t, gradient, stride, [](Place<Cell> at, V* sums) {
                at.d_state(0, sums[0] + at.d_state(0) + at.incoming(0));
            });
#pragma omp barrier
            for (long row = rows.first; row < rows.last; row++) Cell::backward(Row<Cell>{run, t, run.first + row});
#pragma omp barrier
        }
        from_gates.template step<Cell>(0, run.d_kept[0], stride,
                                    [](Place<Cell> at, V* sums) { at.d_state(0, sums[0] + at.d_state(0)); });
    }
}
