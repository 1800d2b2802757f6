// What one thread of a team does of some work that divides.
#pragma once
#include <omp.h>

struct Share {
    long first, last;
    explicit Share(long count) {
        long id = omp_get_thread_num(), threads = omp_get_num_threads();
        first = count * id / threads, last = count * (id + 1) / threads;
    }
};
