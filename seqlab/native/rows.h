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
            for (V v : of(at)) v = otherwise(v - mean, at.lanes, 0.f), squares += v * v;
        });
        const float scale = 1.f / std::sqrt(sum(squares) / count + EPSILON);
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
