// Large products of float32 by tiles, each factor as three bfloat16. Mirrored by seqlab/native/products.py.
#include <memory>

#include "tiles.h"

constexpr int PARTS = 3;
constexpr long NEAR = 4;         // blocks of the depth over which TILED lines lie in the first cache
constexpr long FAR = 40;         // blocks of the depth that are summed before the sums are taken
constexpr long HELD = 1 << 17;   // sums that a thread holds in the second cache
constexpr long FEW = 1 << 15;    // sums that it holds where all of the shorter factor lies there too
constexpr long CLOSE = 1 << 19;  // numbers of a packed factor up to which it does
constexpr long BLOCK = PARTS * TILED * PAIRED;

// Lines split as one of the factors, TILED at a time.
struct Packed {
    Lines lines;
    bool operands;
    long blocks;
    std::unique_ptr<Line[]> memory;

    Packed(const Lines& lines, bool operands, long chunks, long blocks)
        : lines(lines), operands(operands), blocks(blocks), memory(new Line[chunks * blocks * BLOCK / PAIRED]) {}

    long chunks() const { return divided(lines.count, TILED); }
    long tiles(long chunk) const { return lines.count - chunk * TILED > SIDE ? 2 : 1; }
    uint16_t* at(long chunk, long block = 0) const { return memory[(chunk * blocks + block) * BLOCK / PAIRED].low; }

    // A chunk of the lines from a block of the depth on.
    void pack(long chunk, long from, long count, uint16_t* to) const {
        const long line = chunk * TILED, deep = from * PAIRED;
        if (operands) pack_operands<PARTS>(lines.from(line, TILED), deep, count, to);
        else
            for (long column = 0; column < tiles(chunk); column++)
                pack_column<PARTS>(lines, line + column * SIDE, deep, count, to + column * TILE_OF);
        settle(to);
    }

    // What a thread packs of all of them, NEAR blocks of the depth at a time.
    void pack_share(long from, long count) const {
        const Share mine(count, NEAR);
        for (long near = mine.first; near < mine.last; near += NEAR)
            for (long chunk = 0; chunk < chunks(); chunk++)
                pack(chunk, from + near, std::min(NEAR, mine.last - near), at(chunk, near));
    }
};

struct Sums {
    float* at;
    long pitch, rows, columns;

    // Takes what was summed of some of them, so many rows and columns, which lie `wide` apart. The next row is fetched.
    void take(const float* found, long wide, long row, long column, long tall, long count, bool add) const {
        for (long r = 0; r < tall; r++) {
            float* own = at + (row + r) * pitch + column;
            for (long c = 0; c < count; c += LANES) {
                const int lanes = int(std::min(LANES, count - c));
                __builtin_prefetch(own + pitch + c, 1);
                const V sum = load(found + r * wide + c);
                store(own + c, add ? load(own + c, lanes) + sum : sum, lanes);
            }
        }
    }
};

// Some chunks of a thread's own lines against all of the other factor.
struct Group {
    const Packed &own, &all;
    bool alone;  // the thread packs all of the other factor itself
    long first, last;
    float* held;
    long wide;  // of a row of what is held

    // Their sums over blocks of the depth.
    void sum(long far, long reach) const {
        const long spans = divided(reach, NEAR);
        for (long span = 0; span < spans; span++) {
            const long near = reach * span / spans, count = reach * (span + 1) / spans - near;
            if (alone)
                for (long other = 0; other < all.chunks(); other++) all.pack(other, far + near, count, all.at(other));
            for (long chunk = first; chunk < last; chunk++) {
                own.pack(chunk, far + near, count, own.at(0));
                for (long other = 0; other < all.chunks(); other++)
                    add(chunk, other, all.at(other, alone ? 0 : near), count, near == 0);
            }
        }
        settle(held);
    }

  private:
    void add(long chunk, long other, const uint16_t* theirs, long count, bool begin) const {
        const uint16_t* mine = own.at(0);
        const long row = own.operands ? chunk - first : other, column = own.operands ? other : chunk - first;
        const long m = own.operands ? own.tiles(chunk) : all.tiles(other);
        const long n = own.operands ? all.tiles(other) : own.tiles(chunk);
        tiles_for<PARTS>(m, n)(own.operands ? mine : theirs, own.operands ? theirs : mine, count,
                               held + (row * wide + column) * TILED, wide, begin);
    }
};

// sums (+)= rows @ columns: the longer of the two is divided among the threads. They pack the shorter together, or,
// where each can hold all of its sums, apart.
void multiply(const Lines& rows, const Lines& columns, const Sums& sums, bool add, int64_t threads) {
    const bool by_rows = rows.count >= columns.count;
    const Lines &longer = by_rows ? rows : columns, &shorter = by_rows ? columns : rows;
    const long blocks = divided(rows.depth, PAIRED), others = divided(shorter.count, TILED);
    const long sums_of_chunk = others * TILED * TILED;
    const bool alone = divided(longer.count, threads * TILED) * sums_of_chunk <= HELD;
    const long most = std::max(1L, (alone || others * blocks * BLOCK > CLOSE ? HELD : FEW) / sums_of_chunk);
    const long wide = (by_rows ? others : most) * TILED;
    const Packed together(shorter, !by_rows, alone ? 0 : others, std::min(FAR, blocks));
#pragma omp parallel num_threads(threads)
    {
        Tiles tiles;
        const Share mine(longer.count, SIDE);
        const Packed own(longer.from(mine.first, mine.last - mine.first), by_rows, 1, NEAR);
        const Packed apart(shorter, !by_rows, alone ? others : 0, NEAR);
        std::unique_ptr<Line[]> held(new Line[most * sums_of_chunk / LANES]);
        for (long far = 0; far < blocks; far += FAR) {
            const long reach = std::min(FAR, blocks - far);
            if (!alone) together.pack_share(far, reach), meet();
            for (long chunk = 0; chunk < own.chunks(); chunk += most) {
                const Group group{own, alone ? apart : together, alone, chunk, std::min(own.chunks(), chunk + most),
                                  held[0].precise, wide};
                group.sum(far, reach);
                const long line = mine.first + chunk * TILED;
                const long count = std::min(mine.last, mine.first + group.last * TILED) - line;
                if (by_rows) sums.take(group.held, wide, line, 0, count, shorter.count, add || far);
                else sums.take(group.held, wide, 0, line, shorter.count, count, add || far);
            }
            if (!alone) meet();
        }
    }
}

extern "C" void multiply_float(const float* a, int64_t a_pitch, bool a_turned, const float* b, int64_t b_pitch,
                               bool b_turned, float* out, int64_t pitch, int64_t rows, int64_t columns, int64_t depth,
                               bool add, int64_t threads) {
    multiply({a, a_pitch, a_turned, rows, depth}, {b, b_pitch, b_turned, columns, depth}, {out, pitch, rows, columns},
             add, threads);
}
