// Large products of float32 by tiles, each factor as three bfloat16. Mirrored by seqlab/native/products.py.
#include <memory>

#include "share.h"
#include "tiles.h"

constexpr int PARTS = 3;
constexpr long NEAR = 4;        // blocks of the depth over which TILED lines lie in the first cache
constexpr long FAR = 40;        // blocks of the depth for which the shorter factor is packed at once
constexpr long HELD = 1 << 17;  // sums that a thread holds in the second cache
constexpr long BLOCK = PARTS * TILED * PAIRED;

inline long chunks_of(long count) { return rounded_up(count, TILED) / TILED; }

// Lines split as one of the factors, TILED at a time.
struct Packed {
    const Lines& lines;
    bool operands;
    long blocks;
    std::unique_ptr<Line[]> memory;

    Packed(const Lines& lines, bool operands, long chunks, long blocks)
        : lines(lines), operands(operands), blocks(blocks), memory(new Line[chunks * blocks * BLOCK / PAIRED]) {}

    // Tiles side by side in a chunk of columns; operands always lie in pairs.
    long tiles(long chunk) const { return operands || lines.count - chunk * TILED > SIDE ? 2 : 1; }

    uint16_t* at(long chunk, long block = 0) const {
        return memory[chunk * blocks * BLOCK / PAIRED].low + block * tiles(chunk) * BLOCK / 2;
    }

    // A chunk of the lines from a block of the depth on.
    void pack(long chunk, long from, long count, uint16_t* to) const {
        const long line = chunk * TILED, deep = from * PAIRED, columns = tiles(chunk);
        if (operands) pack_operands<PARTS>(lines.from(line, TILED), deep, count, to);
        else
            for (long column = 0; column < columns; column++)
                pack_column<PARTS>(lines, line + column * SIDE, deep, count, columns, to + column * TILE_OF);
        settle(to);
    }
};

struct Sums {
    float* at;
    long pitch, rows, columns;

    // Takes what was summed of some of them, so many rows and columns, which lie `wide` apart.
    void take(const float* found, long wide, long row, long column, long tall, long count, bool add) const {
        count = std::min(count, columns - column);
        for (long r = 0; r < std::min(tall, rows - row); r++) {
            float* own = at + (row + r) * pitch + column;
            for (long c = 0; c < count; c += LANES) {
                const int lanes = int(std::min<long>(LANES, count - c));
                const V sum = load(found + r * wide + c);
                store(own + c, add ? load(own + c, lanes) + sum : sum, lanes);
            }
        }
    }
};

// A group of chunks of one factor against all of the other.
struct Group {
    const Packed &own, &all;
    long first, last, others;  // chunks
    float* held;
    long wide;  // of a row of what is held

    // Their sums over the blocks that `all` holds from `far` on.
    void sum(long far, long reach) const {
        const long spans = rounded_up(reach, NEAR) / NEAR;
        for (long span = 0; span < spans; span++) {
            const long near = reach * span / spans, count = reach * (span + 1) / spans - near;
            for (long chunk = first; chunk < last; chunk++) {
                own.pack(chunk, far + near, count, own.at(0));
                for (long other = 0; other < others; other++) {
                    const uint16_t *mine = own.at(0), *theirs = all.at(other, near);
                    if (own.operands) add(mine, theirs, all.tiles(other), count, chunk - first, other, near == 0);
                    else add(theirs, mine, own.tiles(chunk), count, other, chunk - first, near == 0);
                }
            }
        }
        settle(held);
    }

  private:
    void add(const uint16_t* operands, const uint16_t* panel, long tiles, long count, long row, long column,
             bool begin) const {
        const auto multiply = tiles == 2 ? multiply_tiles<PARTS, 2, 2> : multiply_tiles<PARTS, 2, 1>;
        multiply(operands, panel, count, held + (row * wide + column) * TILED, wide, begin);
    }
};

// sums (+)= rows @ columns: the longer of the two is divided among the threads, the shorter is packed by all for all.
void multiply(const Lines& rows, const Lines& columns, const Sums& sums, bool add, int64_t threads) {
    const bool by_rows = rows.count >= columns.count;
    const Lines &divided = by_rows ? rows : columns, &shared = by_rows ? columns : rows;
    const long blocks = rounded_up(rows.depth, PAIRED) / PAIRED, others = chunks_of(shared.count);
    const long most = std::max(1L, HELD / (others * TILED * TILED)), wide = (by_rows ? others : most) * TILED;
    const Packed all(shared, !by_rows, others, std::min(FAR, blocks));
#pragma omp parallel num_threads(threads)
    {
        Tiles tiles;
        const Packed own(divided, by_rows, 1, NEAR);
        const Share mine(chunks_of(divided.count));
        std::unique_ptr<Line[]> held(new Line[most * others * TILED * TILED / LANES]);
        for (long far = 0; far < blocks; far += FAR) {
            const long reach = std::min(FAR, blocks - far);
            const Share packs(rounded_up(reach, NEAR) / NEAR);
            for (long span = packs.first; span < packs.last; span++)
                for (long other = 0; other < others; other++)
                    all.pack(other, far + span * NEAR, std::min(NEAR, reach - span * NEAR), all.at(other, span * NEAR));
#pragma omp barrier
            for (long first = mine.first; first < mine.last; first += most) {
                const Group group{own, all, first, std::min(mine.last, first + most), others, held[0].precise, wide};
                group.sum(far, reach);
                const long own_lines = (group.last - first) * TILED, other_lines = others * TILED;
                if (by_rows) sums.take(group.held, wide, first * TILED, 0, own_lines, other_lines, add || far);
                else sums.take(group.held, wide, 0, first * TILED, other_lines, own_lines, add || far);
            }
#pragma omp barrier
        }
    }
}

extern "C" void multiply_float(const float* a, int64_t a_pitch, bool a_turned, const float* b, int64_t b_pitch,
                               bool b_turned, float* out, int64_t pitch, int64_t rows, int64_t columns, int64_t depth,
                               bool add, int64_t threads) {
    multiply({a, a_pitch, a_turned, rows, depth}, {b, b_pitch, b_turned, columns, depth}, {out, pitch, rows, columns},
             add, threads);
}
