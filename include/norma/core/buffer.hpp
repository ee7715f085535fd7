// Buffer<T>: owning storage aligned to a cache line, reusable without a new allocation.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include <norma/core/extents.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Elements of a trivial type T. resize() keeps the memory when it is large enough and leaves the elements unspecified otherwise.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(index_t size, T value = T()) {
    resize(size);
    fill(value);
  }
  Buffer(const Buffer& other) { *this = other; }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(const Buffer& other) {
    if (this == &other) return *this;
    if (other.data_ == nullptr) {
      release();
    } else {
      resize(other.size_);
      std::memcpy(data_, other.data_, static_cast<std::size_t>(size_) * sizeof(T));
    }
    return *this;
  }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { release(); }

  /// What was there is kept if it throws, and only then. Behind it data() is not null, even for no elements: null means absent.
  void resize(index_t size) {
    if (size > capacity_ || data_ == nullptr) {
      if (static_cast<std::size_t>(size) > ~std::size_t{0} / 2 / sizeof(T)) refuse();
      T* const grown = static_cast<T*>(::operator new(static_cast<std::size_t>(size) * sizeof(T), alignment));
      release();
      data_ = grown;
      capacity_ = size;
    }
    size_ = size;
  }
  void fill(T value) {
    for (index_t i = 0; i < size_; ++i) data_[i] = value;
  }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  index_t size() const noexcept { return size_; }
  std::span<T> span() noexcept { return {data_, static_cast<std::size_t>(size_)}; }
  std::span<const T> span() const noexcept { return {data_, static_cast<std::size_t>(size_)}; }

 private:
  static constexpr std::align_val_t alignment{64};

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  /// More bytes than there are addresses: a product that wraps must not become a small request.
  [[noreturn]] NORMA_COLD static void refuse() {
#if NORMA_EXCEPTIONS
    throw std::bad_array_new_length();
#else
    std::abort();
#endif
  }
  void release() noexcept {
    if (data_ != nullptr) ::operator delete(data_, alignment);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

  T* data_ = nullptr;
  index_t size_ = 0;
  index_t capacity_ = 0;
};

/// The first base of a class that owns buffers: its copy assignment, inherited and implicit as ever, changes nothing if it throws. All of
/// the other is copied first and moved in; what the assignment does behind it finds room for everything.
template <class Derived>
class AssignedWhole {
 protected:
  AssignedWhole() = default;
  AssignedWhole(const AssignedWhole&) = default;
  AssignedWhole(AssignedWhole&&) = default;
  ~AssignedWhole() = default;
  AssignedWhole& operator=(AssignedWhole&&) = default;
  AssignedWhole& operator=(const AssignedWhole& other) {
    if (this == &other) return *this;
    Derived copy(static_cast<const Derived&>(other));
    static_cast<Derived&>(*this) = std::move(copy);
    return *this;
  }
};

/// What a moved-from owner no longer has, beside its buffers.
template <class V>
class LostByMove {
 public:
  LostByMove() = default;
  LostByMove(const LostByMove&) = default;
  LostByMove(LostByMove&& other) noexcept : value_(std::exchange(other.value_, V())) {}
  LostByMove& operator=(const LostByMove&) = default;
  LostByMove& operator=(LostByMove&& other) noexcept {
    value_ = std::exchange(other.value_, V());
    return *this;
  }
  ~LostByMove() = default;
  LostByMove& operator=(const V& value) {
    value_ = value;
    return *this;
  }
  operator const V&() const { return value_; }

 private:
  V value_ = {};
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
