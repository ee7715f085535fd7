// Every operator new of this program, counted. A translation unit of its own, so that compilers do not pair it with library calls.
#include "support/counting_new.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "support/sanitizers.hpp"

namespace {

std::atomic<long> allocations{0};
thread_local long left = -1;  // negative: as many as there are

[[maybe_unused]] void* counted_allocation(std::size_t size, std::size_t alignment) {
  ++allocations;
  if (left == 0) throw std::bad_alloc();
  if (left > 0) --left;
  void* p = nullptr;
  if (alignment <= alignof(std::max_align_t)) {
    p = std::malloc(size == 0 ? 1 : size);
  } else if (posix_memalign(&p, alignment, size == 0 ? alignment : size) != 0) {
    p = nullptr;
  }
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

long norma_test::allocations_so_far() { return allocations.load(); }
bool norma_test::runs_out_of_memory(long behind, const std::function<void()>& f) {
  bool failed = false;
  left = behind;
  try {
    f();
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  left = -1;
  return failed;
}

// Every operator new of this program counts; those not replaced here call these. ThreadSanitizer's cannot be replaced.
#ifndef NORMA_TEST_THREAD_SANITIZER
void* operator new(std::size_t size) { return counted_allocation(size, 1); }
void* operator new[](std::size_t size) { return counted_allocation(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted_allocation(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return counted_allocation(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif
