// Products by the tile registers of AMX, which take bfloat16 and add in float32. A float32 is the sum of three
// bfloat16, its parts: six products of parts leave out less than its own rounding does.
#pragma once
#include "avx.h"

constexpr long SIDE = LANES;       // rows of a tile, and its columns in float32
constexpr long PAIRED = 2 * SIDE;  // bfloat16 of a row of a tile; depth of a block
constexpr long TILED = 2 * SIDE;   // operands whose sums are held at once
constexpr long TILE_OF = SIDE * PAIRED;

// A line of the cache, as what lies in it.
union alignas(WIDTH) Line {
    V vector;
    float precise[LANES];
    uint16_t low[PAIRED];
};

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
        for (int i = 0; i < 8; i++) shapes.bytes[i] = 64, shapes.rows[i] = SIDE;
        settle(&shapes);
        _tile_loadconfig(&shapes);
    }
    ~Tiles() {
        settle(&before);
        if (before.palette) _tile_loadconfig(&before);
        else _tile_release();
    }
};

typedef uint16_t Words __attribute__((vector_size(64)));

// Bfloat16, each in the upper half of a float: what lies there, and the nearest.
INLINE V upper(V v) { return (V)((Bits)v & 0xffff0000u); }

INLINE V nearest(V v) {
    return (V)((Bits)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)v)) << 16);
}

// The parts of two vectors, whose upper halves are put in this order, each part `pitch` behind the one before. One part
// is the nearest bfloat16. Of three the first is, so that what the others leave out of a product has either sign; each
// of those takes the next eight bits, and together they lose nothing.
template <int PARTS>
INLINE void split(V first, V second, uint16_t* to, long pitch, Words order) {
    if constexpr (PARTS == 1) first = nearest(first), second = nearest(second);
#pragma GCC unroll 3
    for (int part = 0; part < PARTS; part++, to += pitch) {
        const Bits half = Bits{} + (PARTS > 1 && part == 0 ? 0x8000u : 0u);
        const Bits a = (Bits)first + half, b = (Bits)second + half;
        const Words both = __builtin_shuffle((Words)a, (Words)b, order);
        std::memcpy(to, &both, sizeof both);
        first -= upper((V)a), second -= upper((V)b);
    }
}

// Of a row of operands, PAIRED floats, one half behind the other.
template <int PARTS>
INLINE void split_row(V lower, V upper, uint16_t* to, long pitch) {
    Words order;
    for (int i = 0; i < PAIRED; i++) order[i] = uint16_t(2 * i + 1);
    split<PARTS>(lower, upper, to, pitch, order);
}

// Of two rows of what they are multiplied with, in pairs.
template <int PARTS>
INLINE void split_pair(V first, V second, uint16_t* to, long pitch) {
    Words order;
    for (int i = 0; i < PAIRED; i++) order[i] = uint16_t(i % 2 ? PAIRED + i : i + 1);
    split<PARTS>(first, second, to, pitch, order);
}

// The sums of M tiles of rows and N of columns, added to what is there unless they are the first. Both operands and
// what they are multiplied with lie as (blocks, PARTS, 2, TILE_OF).
template <int PARTS, int M, int N>
void multiply_tiles(const uint16_t* operands, const uint16_t* panel, long blocks, float* sums, long pitch, bool first) {
    const long wide = pitch * sizeof(float);
    float* lower = sums + SIDE * pitch;
    if (first) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    } else {
        _tile_loadd(0, sums, wide);
        if constexpr (M == 2) _tile_loadd(1, lower, wide);
        if constexpr (N == 2) _tile_loadd(2, sums + SIDE, wide);
        if constexpr (M == 2 && N == 2) _tile_loadd(3, lower + SIDE, wide);
    }
    const uint16_t *a, *b;
    auto take = [&](int part) INLINED {
        _tile_loadd(4, a + part * 2 * TILE_OF, 64);
        if constexpr (M == 2) _tile_loadd(5, a + part * 2 * TILE_OF + TILE_OF, 64);
    };
    auto against = [&](int part) INLINED {
        _tile_loadd(6, b + part * 2 * TILE_OF, 64);
        if constexpr (N == 2) _tile_loadd(7, b + part * 2 * TILE_OF + TILE_OF, 64);
    };
    auto add = [&]() INLINED {
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (M == 2) _tile_dpbf16ps(1, 5, 6);
        if constexpr (N == 2) _tile_dpbf16ps(2, 4, 7);
        if constexpr (M == 2 && N == 2) _tile_dpbf16ps(3, 5, 7);
    };
    a = operands, b = panel;
    for (long block = 0; block < blocks; block++, a += PARTS * 2 * TILE_OF, b += PARTS * 2 * TILE_OF) {
        if constexpr (PARTS == 3) {
            take(2), against(0), add();
            take(1), add();
            against(1), add();
            take(0), add();
            against(2), add();
        } else take(0);
        against(0), add();
    }
    _tile_stored(0, sums, wide);
    if constexpr (M == 2) _tile_stored(1, lower, wide);
    if constexpr (N == 2) _tile_stored(2, sums + SIDE, wide);
    if constexpr (M == 2 && N == 2) _tile_stored(3, lower + SIDE, wide);
}
#else
inline bool may_use_tiles() { return false; }
inline void settle(const void*) {}
struct Tiles {};
template <int PARTS>
void split_row(V, V, uint16_t*, long) {}
template <int PARTS>
void split_pair(V, V, uint16_t*, long) {}
template <int PARTS, int M, int N>
void multiply_tiles(const uint16_t*, const uint16_t*, long, float*, long, bool) {}
#endif

// That function for so many tiles of rows and of columns.
template <int PARTS>
auto tiles_for(long rows, long columns) {
    if (rows == 1) return columns == 1 ? multiply_tiles<PARTS, 1, 1> : multiply_tiles<PARTS, 1, 2>;
    return columns == 1 ? multiply_tiles<PARTS, 2, 1> : multiply_tiles<PARTS, 2, 2>;
}

// Sixteen vectors as the rows of a square, turned into its columns.
struct Square {
    V rows[SIDE];

    void transpose() { swap<8>(), swap<4>(), swap<2>(), swap<1>(); }

  private:
    template <int STEP>
    void swap() {
        Int left, right;
        for (int i = 0; i < LANES; i++) {
            left[i] = i & STEP ? LANES + i - STEP : i;
            right[i] = i & STEP ? LANES + i : i + STEP;
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            if (i & STEP) continue;
            const V a = rows[i], b = rows[i + STEP];
            rows[i] = __builtin_shuffle(a, b, left), rows[i + STEP] = __builtin_shuffle(a, b, right);
        }
    }
};

// Lines of floats that are multiplied over their depth: one behind the other, or side by side.
struct Lines {
    const float* at;
    long pitch;
    bool side_by_side;
    long count, depth;

    // So many from a line on, if there are.
    Lines from(long line, long most) const {
        return {at + line * (side_by_side ? 1 : pitch), pitch, side_by_side, std::min(most, count - line), depth};
    }

    // Sixteen by sixteen from a line and a depth on: a line in each row, or a depth. What is not there is zero. What
    // lies below is fetched.
    Square square(long line, long from, bool line_in_row) const {
        const float* first = side_by_side ? at + from * pitch + line : at + line * pitch + from;
        for (long row = 0; row < SIDE; row++) __builtin_prefetch(first + (SIDE + row) * pitch);
        const long tall = side_by_side ? depth - from : count - line, wide = side_by_side ? count - line : depth - from;
        Square found;
        if (tall >= SIDE && wide >= SIDE) {
#pragma GCC unroll 16
            for (long row = 0; row < SIDE; row++) found.rows[row] = load(first + row * pitch);
        } else {
            const int lanes = int(std::clamp(wide, 0L, SIDE));
            for (long row = 0; row < SIDE; row++) found.rows[row] = row < tall ? load(first + row * pitch, lanes) : V{};
        }
        if (side_by_side == line_in_row) found.transpose();
        return found;
    }
};

// One of some lines among operands, which lie as (lines / TILED, blocks, PARTS, 2, TILE_OF), over blocks of the depth.
// As many blocks behind them are fetched, which are packed next.
template <int PARTS>
void pack_operand(const Lines& lines, long line, long from, long blocks, uint16_t* operands) {
    const float* row = lines.at + line * lines.pitch + from;
    uint16_t* to = operands + (line / TILED * blocks * PARTS * TILED + line % TILED) * PAIRED;
    const long ahead = blocks * PAIRED;
    for (long left = lines.depth - from; blocks > 0;
         blocks--, left -= PAIRED, row += PAIRED, to += PARTS * TILED * PAIRED)
        if (left >= PAIRED) {
            __builtin_prefetch(row + ahead, 0, 2), __builtin_prefetch(row + ahead + SIDE, 0, 2);
            split_row<PARTS>(load(row), load(row + SIDE), to, 2 * TILE_OF);
        } else {
            const int lower = int(std::clamp(left, 0L, SIDE)), upper = int(std::clamp(left - SIDE, 0L, SIDE));
            split_row<PARTS>(load(row, lower), load(row + SIDE, upper), to, 2 * TILE_OF);
        }
}

// All of them.
template <int PARTS>
void pack_operands(const Lines& lines, long from, long blocks, uint16_t* to) {
    if (!lines.side_by_side) {
        for (long line = 0; line < lines.count; line++) pack_operand<PARTS>(lines, line, from, blocks, to);
        return;
    }
    for (long first = 0; first < lines.count; first += SIDE)
        for (long block = 0; block < blocks; block++) {
            const long deep = from + block * PAIRED;
            const Square lower = lines.square(first, deep, true), upper = lines.square(first, deep + SIDE, true);
            uint16_t* own = to + ((first / TILED * blocks + block) * PARTS * 2 + first / SIDE % 2) * TILE_OF;
#pragma GCC unroll 4
            for (long row = 0; row < SIDE; row++)
                split_row<PARTS>(lower.rows[row], upper.rows[row], own + row * PAIRED, 2 * TILE_OF);
        }
}

// SIDE lines as a column of a panel, (blocks, PARTS, 2, TILE_OF).
template <int PARTS>
void pack_column(const Lines& lines, long line, long from, long blocks, uint16_t* to) {
    for (long block = 0; block < blocks; block++, from += PAIRED, to += PARTS * 2 * TILE_OF)
        for (long half = 0; half < 2; half++) {
            const Square square = lines.square(line, from + half * SIDE, false);
#pragma GCC unroll 4
            for (long row = 0; row < SIDE; row += 2)
                split_pair<PARTS>(square.rows[row], square.rows[row + 1], to + (half * SIDE + row) / 2 * PAIRED,
                                  2 * TILE_OF);
        }
}
