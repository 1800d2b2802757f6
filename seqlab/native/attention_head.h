// One head of attention over one sequence, and its gradient, some queries at a time: no matrix of all weights.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "small_products.h"

constexpr long STRIP = 6;             // rows of a product that are computed together
constexpr long QUERIES = 11 * STRIP;  // whose weights are held at once

// softmax of whole vectors
inline void soften(float* p, long columns) {
    V most = splat(NOTHING), total = {};
    for (long at = 0; at < columns; at += LANES) most = larger(most, load(p + at));
    const float highest = largest(most);
    for (long at = 0; at < columns; at += LANES) {
        const V power = exponential_of_negative(load(p + at) - highest);
        total += power;
        store(p + at, power);
    }
    const float share = 1 / sum(total);
    for (long at = 0; at < columns; at += LANES) store(p + at, load(p + at) * share);
}

// What all heads of a layer share.
struct Sequence {
    long time, size, pitch;  // size: two times whole vectors; pitch: from one query, key or value to the next
    const float *cos, *sin;  // (time, size), the halves of a row alike; or null
    bool causal;             // whether a query sees no later key
};

class Head {
  public:
    explicit Head(const Sequence& of)
        : of(of), scale(1 / std::sqrt(float(of.size))), queries(of.time, of.size, 0), keys(of.time, of.size, 0),
          values(of.time, of.size, 0), turned_keys(of.size, of.time, 0), turned_values(of.size, of.time, 0),
          weights(QUERIES, of.time, 0), d_weights(QUERIES, of.time, 0), d_queries(STRIP, of.size, 0),
          d_keys(of.time, of.size, 0), d_values(of.time, of.size, 0), hidden(1, of.time, 0), width(of.size) {}

    // seen: keys that may be seen, or null for all; q, k and v at their first row.
    void read(const float* q, const float* k, const float* v, const bool* seen) {
        for (long t = 0; t < of.time; t++) {
            rotate(q + t * of.pitch, t, scale, 1, queries.row(t));
            rotate(k + t * of.pitch, t, 1, 1, keys.row(t));
            move(v + t * of.pitch, 1, values.row(t));
            hidden.row(0)[t] = seen && !seen[t] ? NOTHING : 0;
        }
        turn(keys, turned_keys);
    }

    // mixed[t] = sum over keys of softmax(q[t] . k / sqrt(size)) v
    void mix(float* mixed, long pitch) {
        for (long first = 0; first < of.time; first += QUERIES) {
            weigh(first);
            each_strip(first, [&](long t, long rows) {
                multiply(weights.row(t - first), weights.pitch, 1, values.row(0), width, mixed + t * pitch, pitch, rows,
                         keys_of(t, rows), width);
            });
        }
    }

    // From the gradient of mixed those of q, k and v, each added to what is given or not.
    void backward(const float* d_mixed, long pitch, float* d_q, float* d_k, float* d_v, bool add) {
        turn(values, turned_values);
        std::fill_n(d_keys.row(0), of.time * width, 0.f);
        std::fill_n(d_values.row(0), of.time * width, 0.f);
        for (long first = 0; first < of.time; first += QUERIES) {
            weigh(first);
            each_strip(first, [&](long t, long rows) {
                const long columns = rounded_up(keys_of(t, rows), LANES);
                float* d_p = d_weights.row(t - first);
                multiply(d_mixed + t * pitch, pitch, 1, turned_values.row(0), turned_values.pitch, d_p, d_weights.pitch,
                         rows, width, columns);
                for (long r = 0; r < rows; r++, d_p += d_weights.pitch)
                    d_soften(weights.row(t - first + r), d_p, columns);
                multiply(d_weights.row(t - first), d_weights.pitch, 1, keys.row(0), width, d_queries.row(0), width,
                         rows, keys_of(t, rows), width);
                for (long r = 0; r < rows; r++)
                    rotate(d_queries.row(r), t + r, scale, -1, d_q + (t + r) * of.pitch, add);
            });
            const long last = std::min(first + QUERIES, of.time);
            for (long key = 0; key < keys_of(first, last - first); key += STRIP) {
                const long from = of.causal ? std::max(first, key) : first, rows = last - from;
                const long many = std::min(STRIP, keys_of(first, last - first) - key);
                multiply(weights.row(from - first) + key, 1, weights.pitch, d_mixed + from * pitch, pitch,
                         d_values.row(key), width, many, rows, width, true);
                multiply(d_weights.row(from - first) + key, 1, d_weights.pitch, queries.row(from), width,
                         d_keys.row(key), width, many, rows, width, true);
            }
        }
        for (long t = 0; t < of.time; t++) {
            rotate(d_keys.row(t), t, 1, -1, d_k + t * of.pitch, add);
            move(d_values.row(t), 1, d_v + t * of.pitch, add);
        }
    }

  private:
    const Sequence of;
    const float scale;
    Padded<float> queries, keys, values, turned_keys, turned_values, weights, d_weights, d_queries, d_keys, d_values,
        hidden;
    const long width;

    void move(const float* from, float factor, float* to, bool add = false) const {
        for (long i = 0; i < width; i += LANES) put(to + i, factor * load(from + i), add);
    }

    // Rotary positions of a vector in halves (u, v): u' = u cos - v sin, v' = v cos + u sin, times a factor. The way
    // -1 rotates back, which takes the gradient of the rotated vector to that of the vector.
    void rotate(const float* from, long t, float factor, float way, float* to, bool add = false) const {
        if (!of.cos) return move(from, factor, to, add);
        const long half = width / 2;
        for (long i = 0; i < half; i += LANES) {
            const V u = load(from + i), v = load(from + half + i);
            const V cos = load(of.cos + t * width + i) * factor, sin = load(of.sin + t * width + i) * (factor * way);
            put(to + i, u * cos - v * sin, add);
            put(to + half + i, v * cos + u * sin, add);
        }
    }

    // of (time, width) -> (width, time)
    void turn(Padded<float>& from, Padded<float>& to) const {
        for (long i = 0; i < width; i++)
            for (long t = 0; t < of.time; t++) to.row(i)[t] = from.row(t)[i];
    }

    // Keys that some queries see.
    long keys_of(long first, long rows) const { return of.causal ? first + rows : of.time; }

    // The queries that are held at once from the first on, a few at a time.
    template <class Do>
    void each_strip(long first, Do with) {
        const long last = std::min(first + QUERIES, of.time);
        for (long t = first; t < last; t += STRIP) with(t, std::min(STRIP, last - t));
    }

    // The weights of the queries from the first on, up to the keys that the last of a strip sees; zero for keys that a
    // query does not see.
    void weigh(long first) {
        each_strip(first, [&](long t, long rows) {
            const long columns = rounded_up(keys_of(t, rows), LANES);
            float* p = weights.row(t - first);
            multiply(queries.row(t), width, 1, turned_keys.row(0), turned_keys.pitch, p, weights.pitch, rows, width,
                     columns);
            for (long r = 0; r < rows; r++, p += weights.pitch) {
                std::fill(p + keys_of(t + r, 1), p + columns, NOTHING);
                add(p, 1, hidden.row(0), columns);
                soften(p, columns);
            }
        });
    }

    // From the gradient of the weights that of what they are the softmax of.
    static void d_soften(const float* p, float* d_p, long columns) {
        const float mean = dot(p, d_p, columns);
        for (long at = 0; at < columns; at += LANES) store(d_p + at, load(p + at) * (load(d_p + at) - mean));
    }
};
