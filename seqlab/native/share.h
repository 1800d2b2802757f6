// How the threads of a team divide some work.
#pragma once
#include <omp.h>

inline long divided(long count, long by) { return (count + by - 1) / by; }

// Waits for the other threads: some microseconds awake, then asleep; see SPINS in seqlab/__init__.py.
inline void meet() {
#pragma omp barrier
}

// What one of them does.
struct Share {
    long first, last;
    explicit Share(long count) {
        long id = omp_get_thread_num(), threads = omp_get_num_threads();
        first = count * id / threads, last = count * (id + 1) / threads;
    }
};
