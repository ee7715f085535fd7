// How often operator new ran in this program, and memory that runs out; counting_new.cpp replaces it.
#pragma once

namespace norma_test {

long allocations_so_far();

/// While it lives, so many allocations of this thread succeed, and no more.
class MemoryRunsOut {
 public:
  explicit MemoryRunsOut(long behind);
  ~MemoryRunsOut();
  MemoryRunsOut(const MemoryRunsOut&) = delete;
  MemoryRunsOut& operator=(const MemoryRunsOut&) = delete;
};

}  // namespace norma_test
