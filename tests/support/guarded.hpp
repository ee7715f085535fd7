// Memory with inaccessible pages right before and behind it: a read or write outside ends the test.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace norma_test {

/// What the system has of pages: their size, some new ones (or nullptr), the way to make some inaccessible, and to give all back.
namespace pages {
std::size_t size();
void* get(std::size_t bytes);
bool close(void* p, std::size_t bytes);
void give_back(void* p, std::size_t bytes);
}  // namespace pages

/// Where a tensor's memory lies: on the heap, its first byte right behind an inaccessible page, or its last byte right before one.
enum class Placement { heap, at_page_start, at_page_end };

/// `bytes` bytes at a Placement, from a cache line's beginning on (from the back for at_page_end).
class Memory {
 public:
  Memory(std::size_t bytes, Placement placement) : placement_(placement) {
    if (placement == Placement::heap) {
      data_ = static_cast<std::byte*>(::operator new(bytes, alignment));
      return;
    }
    const std::size_t page = pages::size();
    const std::size_t inside = (bytes + page - 1) / page * page;
    mapped_ = inside + 2 * page;
    map_ = static_cast<std::byte*>(pages::get(mapped_));
    if (map_ == nullptr || !pages::close(map_, page) || !pages::close(map_ + page + inside, page)) throw std::bad_alloc();
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
      pages::give_back(map_, mapped_);
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
