// Cells that normalize over all units of a row: after the product the threads share the rows, not the units.
#pragma once
#include <array>
#include <cmath>
#include <tuple>
#include <type_traits>

#include "recurrence.h"

constexpr float EPSILON = 1e-5f;  // as in seqlab/cells/normalization.py

struct Moments {
    float mean, scale;
    V normed(V x) const { return (x - mean) * scale; }
};

// Several sums side by side, so that none waits for the one before it.
template <size_t N>
struct Totals {
    V parts[N] = {};
    float all() const {
        V total = parts[0];
        for (size_t i = 1; i < N; i++) total += parts[i];
        return sum_pairwise(total);
    }
};

// The gradient of what is normalized, N gates together, from that of the normalized: two sums over the row, then each
// value.
template <size_t N>
struct NormGradient {
    Moments moments;
    float count, mean = 0, slope = 0;
    Totals<N> total, weighted;

    NormGradient(Moments moments, long size) : moments(moments), count(float(N * size)) {}
    void add(size_t gate, V gradient, V x) {  // lanes behind the last unit have no gradient
        total.parts[gate] += gradient;
        weighted.parts[gate] += gradient * moments.normed(x);
    }
    void finish() { mean = total.all() / count, slope = weighted.all() / count; }
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
        constexpr size_t N = std::tuple_size_v<std::invoke_result_t<Of, const Place<Cell>&>>;
        const float count = float(N * run.size);
        Totals<N> total, squares;
        each([&](const Place<Cell>& at) {
            const auto values = of(at);
            for (size_t i = 0; i < N; i++) total.parts[i] += values[i];
        });
        const float mean = total.all() / count;
        each([&](const Place<Cell>& at) {
            const auto values = of(at);
            for (size_t i = 0; i < N; i++) {
                const V apart = otherwise(values[i] - mean, at.lanes, 0.f);
                squares.parts[i] += apart * apart;
            }
        });
        const float scale = 1.f / std::sqrt(squares.all() / count + EPSILON);
        long at = t * run.batch + row;
        run.moments[2 * which][at] = mean, run.moments[2 * which + 1][at] = scale;
        return {mean, scale};
    }
};

// Does a step for every row that this thread has of it.
template <class Cell, class With>
void each_row(const Run& run, long t, With with) {
    const Share mine(run.last - run.first);
    for (long row = mine.first; row < mine.last; row++) with(Row<Cell>{run, t, run.first + row});
    meet();
}

template <class Cell>
void normalized_forward(const Run& run) {
    team(run, [&] {
        auto keep = [](const Place<Cell>& at, const V* sums) {
            for (int gate = 0; gate < Cell::Order::count; gate++) at.kept(0, sums[gate], Cell::Order::count, gate);
        };
        auto row = [](const Row<Cell>& one) { Cell::forward(one); };
        walk<Cell>(run, keep, [&](long t) { each_row<Cell>(run, t, row); });
    });
}

template <class Cell>
void normalized_backward(const Run& run) {
    team(run, [&] {
        auto keep = [](const Place<Cell>& at, V dh) { at.d_state(0, dh); };
        auto row = [](const Row<Cell>& one) { Cell::backward(one); };
        walk_back<Cell>(run, run.d_kept[0], Cell::Order::count, keep, [&](long t) { each_row<Cell>(run, t, row); });
    });
}
