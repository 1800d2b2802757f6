// Floats, as many at a time as fit into LANE_BYTES, and functions of them.
#pragma once
#include <cstdint>
#include <limits>

#include "exponential.h"
#include "lanes.h"

using Floats = Block<float>;
using V = Floats::V;
constexpr long LANES = Floats::LANES;
typedef int32_t Int __attribute__((vector_size(WIDTH)));

constexpr float SMALLEST = -87;  // e^x of less counts as zero
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

inline V load(const float* from) {
    V v;
    Floats::load(v, from);
    return v;
}

inline V exponential_of_negative(V x) {
    const V cut = x < SMALLEST ? SMALLEST - V{} : x;
    return x < SMALLEST ? V{} : exponential<V, Int>(cut);
}

inline float sum(V v) {
    float total = 0;
    for (long i = 0; i < LANES; i++) total += v[i];
    return total;
}

inline float largest(V v) {
    float most = v[0];
    for (long i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
}
