// e^x of several floats at a time.
#pragma once
#include <cstring>

// Cephes' expf: x = k ln 2 + r, and a polynomial of degree 7 for e^r; x from -87 to 88. Int holds as many bytes as V.
template <class V, class Int>
__attribute__((always_inline)) inline V exponential(V x) {
    const float magic = 12582912.f;  // 1.5 * 2^23: adding it rounds to a whole number
    V k = x * 1.44269504f + magic;
    Int bits;
    std::memcpy(&bits, &k, sizeof bits);
    k -= magic;
    V r = x - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    bits = (bits + 127) << 23;
    V power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}
