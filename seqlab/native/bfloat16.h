// The same products in bfloat16 with float32 sums, by the tile registers of AMX.
#pragma once
#include "product.h"

constexpr long PAIRED = 32;  // bfloat16 of a row of a tile
constexpr long TILED = 32;   // operands whose sums are held in two tiles

// A line of the cache, as what lies in it.
union alignas(64) Line {
    V vector;
    float precise[LANES];
    uint16_t low[PAIRED];
};

inline long rounded_up(long n, long of) { return (n + of - 1) / of * of; }

#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

inline bool may_use_tiles() {
    constexpr int REQUEST = 0x1023, TILE_DATA = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    static const bool granted = syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
    return granted;
}

// GCC's tile intrinsics do not say that they read and write memory.
inline void settle(const void* at) { asm volatile("" : : "r"(at) : "memory"); }

struct alignas(64) TileShapes {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

// Eight tiles of sixteen rows of 64 bytes while it lives; whoever used the registers before finds them as they were.
struct Tiles {
    TileShapes before;
    Tiles() {
        settle(&before);
        _tile_storeconfig(&before);
        settle(&before);
        TileShapes shapes;
        for (int i = 0; i < 8; i++) shapes.bytes[i] = 64, shapes.rows[i] = 16;
        settle(&shapes);
        _tile_loadconfig(&shapes);
    }
    ~Tiles() {
        settle(&before);
        if (before.palette) _tile_loadconfig(&before);
        else _tile_release();
    }
};

inline uint16_t rounded(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fc0;  // not a number
    return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// A column of a panel, (depth, LANES), as tiles of 16 pairs of rows, `pitch` apart.
inline void pack_low(const float* column, long depth, uint16_t* tile, long pitch) {
    for (long first = 0; first < depth; first += PAIRED, tile += pitch)
        for (long k = 0; k < PAIRED; k++)
            for (int lane = 0; lane < LANES; lane++)
                tile[k / 2 * PAIRED + lane * 2 + k % 2] =
                    first + k < depth ? rounded(column[(first + k) * LANES + lane]) : 0;
}

// Operands (rows, depth) as tiles (depth / PAIRED, rows, PAIRED), both rounded up.
inline void pack_operands(const float* a, long stride, long rows, long depth, uint16_t* low) {
    const long tall = rounded_up(rows, TILED);
    for (long r = 0; r < tall; r++)
        for (long k = 0; k < depth; k += PAIRED) {
            const bool real = r < rows;
            const int first = real ? int(std::min<long>(LANES, depth - k)) : 0;
            const int second = real ? int(std::clamp<long>(depth - k - LANES, 0, LANES)) : 0;
            const float* from = a + r * stride + k;
            V lower = first ? load(from, first) : V{}, upper = second ? load(from + LANES, second) : V{};
            __m512bh both = _mm512_cvtne2ps_pbh((__m512)upper, (__m512)lower);
            std::memcpy(low + k * tall + r * PAIRED, &both, sizeof both);
        }
}

template <int N>
void tiles_low(const uint16_t* low, long rows, const uint16_t* panel, long depth, V* sums, long columns) {
    const long tall = rounded_up(rows, TILED), half = 16 * PAIRED;
    for (long r = 0; r < tall; r += TILED) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        const uint16_t *a = low + r * PAIRED, *b = panel;
        for (long k = 0; k < depth; k += PAIRED, a += tall * PAIRED, b += N * half) {
            _tile_loadd(4, a, 64);
            _tile_loadd(5, a + half, 64);
            _tile_loadd(6, b, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 5, 6);
            if constexpr (N == 2) {
                _tile_loadd(7, b + half, 64);
                _tile_dpbf16ps(2, 4, 7);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
        V* to = sums + r * columns;
        const long pitch = columns * sizeof(V);
        _tile_stored(0, to, pitch);
        _tile_stored(1, to + 16 * columns, pitch);
        if constexpr (N == 2) {
            _tile_stored(2, to + 1, pitch);
            _tile_stored(3, to + 16 * columns + 1, pitch);
        }
    }
}

// As `product`. Sums are written for rows rounded up to TILED.
inline void product_low(const uint16_t* low, long rows, const uint16_t* packed, long depth, V* sums, long columns) {
    settle(low);
    for (long column = 0; column < columns; column += 2) {
        const uint16_t* panel = packed + column * LANES * rounded_up(depth, PAIRED);
        if (column + 1 < columns) tiles_low<2>(low, rows, panel, depth, sums + column, columns);
        else tiles_low<1>(low, rows, panel, depth, sums + column, columns);
    }
    settle(sums);
}
#else
inline bool may_use_tiles() { return false; }
struct Tiles {};
inline void pack_low(const float*, long, uint16_t*, long) {}
inline void pack_operands(const float*, long, long, long, uint16_t*) {}
inline void product_low(const uint16_t*, long, const uint16_t*, long, V*, long) {}
#endif
