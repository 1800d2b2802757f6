// Softmax over rows of logits, in passes that find their row in cache. Mirrored by seqlab/native/softmax.py.
#include <cmath>
#include <cstring>
#include <memory>

#include "avx.h"

typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

// Of bfloat16, the upper half of a float.
INLINE V load(const uint16_t* from, int lanes) {
    Halves halves{};
    if (lanes == LANES) std::memcpy(&halves, from, sizeof halves);
    else std::memcpy(&halves, from, lanes * sizeof *from);
    return (V)(__builtin_convertvector(halves, Bits) << 16);
}

INLINE void store(uint16_t* to, V v, int lanes) {
    const Bits bits = (Bits)v, upper = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const Halves halves = __builtin_convertvector(v == v ? upper : Bits{} + 0x7fc0, Halves);
    if (lanes == LANES) std::memcpy(to, &halves, sizeof halves);
    else std::memcpy(to, &halves, lanes * sizeof *to);
}

template <class Do>
INLINE void each_vector(long size, Do with) {
    long at = 0;
    for (; at + LANES <= size; at += LANES) with(at, LANES);
    if (at < size) with(at, int(size - at));
}

// Logits before their bias become log-probabilities, in place.
extern "C" void log_softmax(float* logits, const float* bias, int64_t rows, int64_t size, int64_t threads) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine(rows);
        for (long row = mine.first; row < mine.last; row++) {
            float* own = logits + row * size;
            V most = splat(NOTHING), total{};
            each_vector(size, [&](long at, int lanes) {
                V x = load(own + at, lanes) + load(bias + at, lanes);
                store(own + at, x, lanes);
                most = larger(otherwise(x, lanes, NOTHING), most);
            });
            const float top = largest(most);
            each_vector(size, [&](long at, int lanes) {
                total += otherwise(exp(load(own + at, lanes) - top), lanes, 0.f);
            });
            const float whole = top + std::log(sum_pairwise(total));
            each_vector(size, [&](long at, int lanes) { store(own + at, load(own + at, lanes) - whole, lanes); });
        }
    }
}

// Logits before their bias become gradients of the cross-entropy. A row's nats are written, the bias's gradient is
// added.
template <class Element>
void cross_entropy(Element* logits, const float* bias, const int64_t* targets, int64_t rows, int64_t size,
                   float smoothing, double* nats, float* d_bias, int64_t threads) {
    const float even = smoothing / size, sure = 1.f - smoothing;
    std::unique_ptr<float[]> sums(new float[threads * size]());
#pragma omp parallel num_threads(threads)
    {
        std::unique_ptr<float[]> row_of(new float[size]);
        float *own = row_of.get(), *columns = sums.get() + omp_get_thread_num() * size;
        const Share mine(rows);
        for (long row = mine.first; row < mine.last; row++) {
            Element* given = logits + row * size;
            V most = splat(NOTHING), all{}, total{};
            each_vector(size, [&](long at, int lanes) {
                V x = load(given + at, lanes) + load(bias + at, lanes);
                store(own + at, x, lanes);
                all += x, most = larger(otherwise(x, lanes, NOTHING), most);
            });
            const float top = largest(most), right = own[targets[row]];
            each_vector(size, [&](long at, int lanes) {
                V power = exp(load(own + at, lanes) - top);
                store(own + at, power, lanes);
                total += otherwise(power, lanes, 0.f);
            });
            const float whole = sum_pairwise(total), scale = 1.f / whole;
            nats[row] = double(top) + std::log(double(whole)) - double(sure) * right - double(even) * sum_pairwise(all);
            own[targets[row]] -= sure * whole;
            each_vector(size, [&](long at, int lanes) {
                V gradient = load(own + at, lanes) * scale - even;
                store(given + at, gradient, lanes);
                store(columns + at, load(columns + at, lanes) + gradient, lanes);
            });
        }
    }
    for (long thread = 0; thread < threads; thread++)
        for (long at = 0; at < size; at++) d_bias[at] += sums[thread * size + at];
}

extern "C" void cross_entropy_float(float* logits, const float* bias, const int64_t* targets, int64_t rows,
                                    int64_t size, float smoothing, double* nats, float* d_bias, int64_t threads) {
    cross_entropy(logits, bias, targets, rows, size, smoothing, nats, d_bias, threads);
}

extern "C" void cross_entropy_bfloat16(uint16_t* logits, const float* bias, const int64_t* targets, int64_t rows,
                                       int64_t size, float smoothing, double* nats, float* d_bias, int64_t threads) {
    cross_entropy(logits, bias, targets, rows, size, smoothing, nats, d_bias, threads);
}
