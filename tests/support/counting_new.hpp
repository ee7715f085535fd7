// How often operator new ran in this program; counting_new.cpp replaces it.
#pragma once

namespace norma_test {

long allocations_so_far();

}  // namespace norma_test
