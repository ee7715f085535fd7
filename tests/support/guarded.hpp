// Memory with inaccessible pages right before and behind it: a read or write outside ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace norma_test {

/// Where a tensor's memory lies: on the heap, its first byte right behind a PROT_NONE page, or its last byte right before one.
enum class Placement { heap, at_page_start, at_page_end };

/// `bytes` bytes at a Placement, from a cache line's beginning on (from the back for at_page_end).
class Memory {
 public:
  Memory(std::size_t bytes, Placement placement) : placement_(placement) {
    if (placement == Placement::heap) {
      data_ = static_cast<std::byte*>(::operator new(bytes, alignment));
      return;
    }
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t inside = (bytes + page - 1) / page * page;
    mapped_ = inside + 2 * page;
    void* const map = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    map_ = static_cast<std::byte*>(map);
    if (mprotect(map_, page, PROT_NONE) != 0 || mprotect(map_ + page + inside, page, PROT_NONE) != 0) throw std::bad_alloc();
    data_ = placement == Placement::at_page_start ? map_ + page : map_ + page + inside - bytes;
  }
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        map_(std::exchange(other.map_, nullptr)),
        mapped_(other.mapped_),
        placement_(other.placement_) {}
  Memory& operator=(Memory&&) = delete;
  ~Memory() {
    if (map_ != nullptr) {
      munmap(map_, mapped_);
    } else if (data_ != nullptr) {
      ::operator delete(data_, alignment);
    }
  }

  std::byte* data() const { return data_; }

 private:
  static constexpr std::align_val_t alignment{64};

  std::byte* data_ = nullptr;
  std::byte* map_ = nullptr;
  std::size_t mapped_ = 0;
  Placement placement_;
};

}  // namespace norma_test
