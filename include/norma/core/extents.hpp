// A short list of integers (extents, strides or axes), written as a braced list of any integer types.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <ranges>

#include <norma/core/error.hpp>

namespace norma {

/// Extents, strides, axes and counts.
using index_t = std::ptrdiff_t;

/// The largest rank a tensor can have.
inline constexpr int max_rank = 8;

/// The largest of them.
inline constexpr index_t largest_index = (std::numeric_limits<index_t>::max)();

/// a * b of numbers that are not negative, or the largest number where that is beyond it.
NORMA_INLINE constexpr index_t saturating_product(index_t a, index_t b) noexcept {
#if defined(__GNUC__)
  index_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? largest_index : result;
#else
  return b != 0 && a > largest_index / b ? largest_index : a * b;
#endif
}

/// One integer of a braced list; lets one list mix integer types without a narrowing error.
struct Extent {
  index_t value;  ///< the integer as an index_t
  /// Of any integer type.
  template <std::integral I>
  NORMA_INLINE constexpr Extent(I v) noexcept : value(static_cast<index_t>(v)) {}
};

/// Up to 8 integers by value: extents, strides or axes. ShapeError beyond 8.
class Extents {
 public:
  /// None.
  NORMA_INLINE constexpr Extents() noexcept {}
  ///@{
  /// One integer, a braced list of any integer types, or a range of integers.
  template <std::integral I>
  NORMA_INLINE constexpr Extents(I single) : Extents({Extent(single)}) {}
  NORMA_INLINE constexpr Extents(std::initializer_list<Extent> list) {
    for (const Extent e : list) push_back(e.value);
  }
  template <std::ranges::input_range R>
  requires std::integral<std::ranges::range_value_t<R>> NORMA_INLINE constexpr Extents(const R& range) {
    for (const auto v : range) push_back(static_cast<index_t>(v));
  }
  ///@}

  /// One more behind the others. ShapeError if there are 8.
  NORMA_INLINE constexpr void push_back(index_t v) {
    if (size_ == max_rank) raise_shape_error("TensorView: more than ", max_rank, " axes");
    values_[size_++] = v;
  }

  ///@{
  /// How many there are; the i-th; a range of them. i is not checked.
  NORMA_INLINE constexpr int size() const noexcept { return size_; }
  NORMA_INLINE constexpr index_t operator[](int i) const { return values_[i]; }
  NORMA_INLINE constexpr index_t& operator[](int i) { return values_[i]; }
  NORMA_INLINE constexpr const index_t* begin() const noexcept { return values_; }
  NORMA_INLINE constexpr const index_t* end() const noexcept { return values_ + size_; }
  ///@}

  /// Product of all values, which are not negative; 1 for none. The largest number stands for every product beyond it.
  NORMA_INLINE constexpr index_t product() const noexcept {
    index_t p = 1;
    for (int i = 0; i < size_; ++i) {
      if (values_[i] == 0) return 0;
      p = saturating_product(p, values_[i]);
    }
    return p;
  }

  /// As many, and the same ones.
  NORMA_INLINE friend constexpr bool operator==(const Extents& a, const Extents& b) noexcept {
    if (a.size_ != b.size_) return false;
    for (int i = 0; i < a.size_; ++i) {
      if (a.values_[i] != b.values_[i]) return false;
    }
    return true;
  }

 private:
  index_t values_[max_rank] = {};
  int size_ = 0;
};

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

inline void append_part(std::string& text, const Extents& list) { append_part(text, IntegerList{list.begin(), list.size()}); }

/// Whether these are n numbers one behind the other.
inline bool consecutive(const index_t* number, index_t n) {
  for (index_t i = 1; i < n; ++i) {
    if (number[i] != number[0] + i) return false;
  }
  return true;
}

/// `axis` counted from the front; ShapeError naming `who` if it is not in [-rank, rank).
NORMA_INLINE constexpr int checked_axis(const char* who, index_t axis, int rank) {
  if (axis < -rank || axis >= rank) raise_shape_error(who, ": axis ", axis, " is out of range for rank ", rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
