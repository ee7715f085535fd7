// How often operator new ran in this program, and memory that runs out; counting_new.cpp replaces it.
#pragma once

#include <functional>

namespace norma_test {

long allocations_so_far();

/// Whether f ends with std::bad_alloc where so many allocations of this thread succeed, and no more.
bool runs_out_of_memory(long behind, const std::function<void()>& f);

}  // namespace norma_test
