// Draws of one token from each row of logits. Without instructions of one processor, so that every compiler takes it.
// Mirrored by seqlab/native/draws.py.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "share.h"

// The most likely tokens of a row in descending order, each found when it is asked for; of equal ones the lower id is
// first.
class Falling {
    struct Token {
        double value;
        int64_t id;
        bool operator<(const Token& other) const {
            return value < other.value || (value == other.value && id > other.id);
        }
        bool operator>(const Token& other) const { return other < *this; }
    };
    std::vector<Token> tokens;  // a heap, and behind it those that were asked for, the first at the end
    long found = 0;
    double largest = 0, temperature = 1;

    // Drops all but the most likely ones; returns the least likely of these.
    double keep(long count) {
        std::nth_element(tokens.begin(), tokens.begin() + (count - 1), tokens.end(), std::greater<>());
        tokens.resize(count);
        return tokens.back().value;
    }

   public:
    // False if a number is NaN or infinite, or if no token is possible.
    template <class Number>
    bool read(const Number* logits, long size, const int64_t* banned, long num_banned, long top_k, double divisor) {
        constexpr Number INFINITE = std::numeric_limits<Number>::infinity();
        Number least = -INFINITE;  // as likely as that is too unlikely
        tokens.clear(), found = 0, temperature = divisor;
        for (long id = 0; id < size; id++) {
            if (!(logits[id] < INFINITE)) return false;
            if (!(logits[id] > least) || std::find(banned, banned + num_banned, id) != banned + num_banned) continue;
            tokens.push_back({double(logits[id]), id});
            if (this->size() == 2 * top_k) least = keep(top_k);
        }
        if (this->size() > top_k) keep(top_k);
        std::make_heap(tokens.begin(), tokens.end());
        if (tokens.size()) largest = tokens[0].value;
        return tokens.size();
    }
    long size() const { return tokens.size(); }
    const Token& operator[](long place) {
        for (; found <= place; found++) std::pop_heap(tokens.begin(), tokens.end() - found);
        return tokens[size() - 1 - place];
    }
    double weight(const Token& token) const { return std::exp((token.value - largest) / temperature); }
    double total() const {
        double sum = 0;
        for (const Token& token : tokens) sum += weight(token);
        return sum;
    }
};

// The first token whose cumulative weight exceeds a share of all, among the top_k and of them the fewest with a share of
// at least top_p, at the temperature of each row. Returns false if a row has no distribution.
template <class Number>
bool draw(const Number* logits, long pitch, const double* uniform, const double* temperatures, const int64_t* banned,
          long num_banned, long top_k, double top_p, int64_t* ids, long rows, long size, long threads) {
    bool fine = true;
#pragma omp parallel num_threads(threads) reduction(&& : fine)
    {
        const Share mine(rows);
        Falling falling;
        for (long row = mine.first; row < mine.last; row++) {
            const Number* own = logits + row * pitch;
            fine = fine && falling.read(own, size, banned, num_banned, top_k, temperatures[row]);
            long count = falling.size(), place = 0;
            double total = falling.total(), sum = 0;
            if (top_p < 1) {
                for (; place < count && sum < top_p * total; place++) sum += falling.weight(falling[place]);
                count = place, total = sum, sum = 0, place = 0;
            }
            for (; place < count; place++) {
                const double weight = falling.weight(falling[place]);
                if (weight == 0) break;  // rounding went beyond the last
                ids[row] = falling[place].id;
                if ((sum += weight) > uniform[row] * total) break;
            }
        }
    }
    return fine;
}

#define DRAW(name, Number)                                                                                           \
    extern "C" int64_t name(const Number* logits, int64_t pitch, const double* uniform, const double* temperatures,  \
                         const int64_t* banned, int64_t num_banned, int64_t top_k, double top_p, int64_t* ids,       \
                         int64_t rows, int64_t size, int64_t threads) {                                              \
        return draw(logits, pitch, uniform, temperatures, banned, num_banned, top_k, top_p, ids, rows, size, threads); \
    }
DRAW(draw_float, float)
DRAW(draw_double, double)

// Of each number, how many of the rising sums are at most it. Several numbers are looked for together, so that none waits
// for the memory that another reads.
extern "C" void count_below(const double* sums, int64_t size, const double* numbers, int64_t count, int64_t* found,
                            int64_t threads) {
    constexpr long TOGETHER = 16;
#pragma omp parallel for num_threads(threads)
    for (long first = 0; first < count; first += TOGETHER) {
        const long last = std::min<long>(first + TOGETHER, count);
        std::fill(found + first, found + last, 0);
        for (long left = size; left;) {
            const long half = (left + 1) / 2;
            for (long k = first; k < last; k++) found[k] += sums[found[k] + half - 1] <= numbers[k] ? half : 0;
            left -= half;
        }
    }
}
