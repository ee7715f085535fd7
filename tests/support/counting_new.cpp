// Every operator new of this program, counted. A translation unit of its own, so that compilers do not pair it with library calls.
#include "support/counting_new.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> allocations{0};
thread_local long left = -1;  // negative: as many as there are

void* counted_allocation(std::size_t size, std::size_t alignment) {
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

void* counted_allocation_or_null(std::size_t size, std::size_t alignment) noexcept {
  try {
    return counted_allocation(size, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

long norma_test::allocations_so_far() { return allocations.load(); }
norma_test::MemoryRunsOut::MemoryRunsOut(long behind) { left = behind; }
norma_test::MemoryRunsOut::~MemoryRunsOut() { left = -1; }

// All of them: where one is missing, the linker takes a sanitizer's own, and with it all others once more.
using Alignment = std::align_val_t;
void* operator new(std::size_t size) { return counted_allocation(size, 1); }
void* operator new[](std::size_t size) { return counted_allocation(size, 1); }
void* operator new(std::size_t size, Alignment alignment) { return counted_allocation(size, static_cast<std::size_t>(alignment)); }
void* operator new[](std::size_t size, Alignment alignment) { return counted_allocation(size, static_cast<std::size_t>(alignment)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted_allocation_or_null(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted_allocation_or_null(size, 1); }
void* operator new(std::size_t size, Alignment alignment, const std::nothrow_t&) noexcept {
  return counted_allocation_or_null(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, Alignment alignment, const std::nothrow_t&) noexcept {
  return counted_allocation_or_null(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, Alignment) noexcept { std::free(p); }
void operator delete[](void* p, Alignment) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, Alignment) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, Alignment) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, Alignment, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, Alignment, const std::nothrow_t&) noexcept { std::free(p); }
