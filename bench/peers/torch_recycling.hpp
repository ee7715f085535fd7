// A CPU allocator for libtorch that gives freed blocks out again, so that operators which allocate their results meet no page fault and no
// malloc, and write to the same memory as every other implementation of the case.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <vector>

namespace bench::libtorch {

/// Single-threaded, as the benchmark is.
class RecyclingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) const override;
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }

  void lend(void* memory, std::size_t bytes);  ///< serve the next allocation of this size from here; the latest loan comes first
  void release();                              ///< forget what was lent and free what was allocated; no tensor may be alive

 private:
  struct Block {
    void* memory;
    std::size_t bytes;
    bool lent;
    bool in_use;
  };
  static void give_back(void* block);

  mutable std::vector<std::unique_ptr<Block>> blocks_;
};

/// Installed in libtorch on first use.
RecyclingAllocator& allocator();

/// Results go to memory of the benchmark's own for as long as this lives.
class Loan {
 public:
  struct Part {
    void* memory;
    std::size_t bytes;
  };
  /// In the order in which the operator allocates its results.
  explicit Loan(std::initializer_list<Part> parts);
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() { allocator().release(); }
};

}  // namespace bench::libtorch
