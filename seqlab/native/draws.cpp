// Draws of one token from each row of logits. Mirrored by seqlab/native/draws.py.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "share.h"

struct Token {
    double value, weight;
    int64_t id;
    bool less_likely(const Token& other) const {
        return value < other.value || (value == other.value && id > other.id);
    }
};

// The tokens of a row that may be drawn.
class Allowed {
    std::vector<Token> tokens;
    bool sorted = true;  // by id

    void keep_likeliest(long count) {
        std::nth_element(tokens.begin(), tokens.begin() + (count - 1), tokens.end(),
                         [](const Token& one, const Token& other) { return other.less_likely(one); });
        tokens.resize(count), sorted = false;
    }
    // The fewest, of the most likely, with a share of at least top_p of all weights.
    void keep_nucleus(double top_p) {
        const double enough = top_p * total();
        const auto less = [](const Token& one, const Token& other) { return one.less_likely(other); };
        auto first = tokens.end();
        std::make_heap(tokens.begin(), tokens.end(), less);
        for (double sum = 0; sum < enough && first != tokens.begin(); sum += first->weight)
            std::pop_heap(tokens.begin(), first--, less);
        tokens.erase(tokens.begin(), first), sorted = false;
    }
    double total() const {
        double sum = 0;
        for (const Token& token : tokens) sum += token.weight;
        return sum;
    }

  public:
    // Returns false if a number is NaN or infinite, or if no token is possible.
    template <class Number>
    bool read(const Number* logits, long size, const int64_t* banned, long num_banned, long top_k, double top_p,
              double temperature) {
        constexpr Number INFINITE = std::numeric_limits<Number>::infinity();
        double least = -INFINITE;  // as likely as that is too unlikely
        tokens.clear(), sorted = true;
        for (long id = 0; id < size; id++) {
            if (!(logits[id] < INFINITE)) return false;
            if (!(logits[id] > least) || std::find(banned, banned + num_banned, id) != banned + num_banned) continue;
            tokens.push_back({double(logits[id]), 0, id});
            if (long(tokens.size()) == 2 * top_k) keep_likeliest(top_k), least = tokens.back().value;
        }
        if (tokens.empty()) return false;
        if (long(tokens.size()) > top_k) keep_likeliest(top_k);
        double largest = -INFINITE;
        for (const Token& token : tokens) largest = std::max(largest, token.value);
        for (Token& token : tokens) token.weight = std::exp((token.value - largest) / temperature);
        if (top_p < 1) keep_nucleus(top_p);
        return true;
    }
    // The first token, by id, whose cumulative weight exceeds a share of all.
    int64_t at(double share) {
        const auto earlier = [](const Token& one, const Token& other) { return one.id < other.id; };
        if (!sorted) std::sort(tokens.begin(), tokens.end(), earlier);
        const double bound = share * total();
        double sum = 0;
        int64_t found = -1;
        for (const Token& token : tokens) {
            if (token.weight == 0) continue;
            found = token.id;
            if ((sum += token.weight) > bound) break;
        }
        return found;
    }
};

// A token of each row: among the top_k and of them the fewest with a share of at least top_p, at the temperature of
// each row. Returns false if a row has no distribution.
template <class Number>
bool draw(const Number* logits, long pitch, const double* uniform, const double* temperatures, const int64_t* banned,
          long num_banned, long top_k, double top_p, int64_t* ids, long rows, long size, long threads) {
    bool fine = true;
#pragma omp parallel num_threads(threads) reduction(&& : fine)
    {
        const Share mine(rows);
        Allowed allowed;
        for (long row = mine.first; row < mine.last; row++)
            if (allowed.read(logits + row * pitch, size, banned, num_banned, top_k, top_p, temperatures[row]))
                ids[row] = allowed.at(uniform[row]);
            else
                fine = false;
    }
    return fine;
}

#define DRAW(name, Number)                                                                                          \
    extern "C" int64_t name(const Number* logits, int64_t pitch, const double* uniform, const double* temperatures, \
                            const int64_t* banned, int64_t num_banned, int64_t top_k, double top_p, int64_t* ids,   \
                            int64_t rows, int64_t size, int64_t threads) {                                          \
        return draw(logits, pitch, uniform, temperatures, banned, num_banned, top_k, top_p, ids, rows, size,        \
                    threads);                                                                                       \
    }
DRAW(draw_float, float)
DRAW(draw_double, double)

// Of each number, how many of the rising sums are at most it. Several numbers are looked for together, so that none
// waits for the memory that another reads.
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
