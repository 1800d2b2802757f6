// How the threads of a team divide some work.
#pragma once
#include <omp.h>

#include <algorithm>

inline long divided(long count, long by) { return (count + by - 1) / by; }
inline long rounded_up(long count, long to) { return divided(count, to) * to; }

// Waits for the other threads: some microseconds awake, then asleep; see SPINS in seqlab/__init__.py.
inline void meet() {
#pragma omp barrier
}

// What one of them does, in whole blocks but for the last.
struct Share {
    long first, last;
    explicit Share(long count, long block = 1) {
        const long id = omp_get_thread_num(), threads = omp_get_num_threads(), blocks = divided(count, block);
        first = blocks * id / threads * block, last = std::min(count, blocks * (id + 1) / threads * block);
    }
};
