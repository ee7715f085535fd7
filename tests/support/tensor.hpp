// Tensor<T>: the owning strided tensor of the tests; knows its logical values and notices every write between them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <norma/core/tensor_view.hpp>

#include "support/guarded.hpp"
#include "support/layouts.hpp"

namespace norma_test {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
bool same_bits(T a, T b) {
  return std::bit_cast<BitsOf<T>>(a) == std::bit_cast<BitsOf<T>>(b);
}

/// How a tensor lies in memory.
struct Where {
  Layout layout = Layout::contiguous;
  Placement placement = Placement::heap;
  std::ptrdiff_t misalignment = 0;  // elements between the aligned start of the memory and the tensor
};

template <class T>
class Tensor {
 public:
  /// All elements, and what lies between and around them, hold a NaN of our own.
  Tensor(Extents extents, Where where)
      : extents_(std::move(extents)),
        placed_(place(extents_, where.layout)),
        total_(storage(where)),
        memory_(total_ * sizeof(T), where.placement) {
    placed_.offset = total_ == 0 ? 0 : placed_.offset + where.misalignment;
    for (std::size_t i = 0; i < total_; ++i) data()[i] = untouched();
  }
  Tensor(Extents extents, Where where, const std::vector<T>& values) : Tensor(std::move(extents), where) { set(values); }

  /// Marks memory that nobody may write and whose value may reach no result.
  static T untouched() { return std::bit_cast<T>(static_cast<BitsOf<T>>(sizeof(T) == 4 ? 0x7FC0BEEFu : 0x7FF80000DEADBEEFu)); }

  norma::TensorView<T> view() { return {data() + placed_.offset, extents_, placed_.strides}; }
  const Extents& extents() const { return extents_; }

  void set(const std::vector<T>& values) {
    if (values.size() != count(extents_)) throw std::logic_error("Tensor::set: wrong number of values");
    std::size_t i = 0;
    for_each_index(extents_, [&](const Extents& index) { data()[at(index)] = values[i++]; });
  }

  /// Row-major order of the logical axes, whatever the memory order.
  std::vector<T> values() const {
    std::vector<T> result;
    result.reserve(count(extents_));
    for_each_index(extents_, [&](const Extents& index) { result.push_back(data()[at(index)]); });
    return result;
  }

  /// True if no element outside the logical tensor was written.
  bool surroundings_untouched() const {
    std::vector<bool> inside(total_, false);
    for_each_index(extents_, [&](const Extents& index) { inside[at(index)] = true; });
    for (std::size_t i = 0; i < total_; ++i) {
      if (!inside[i] && !same_bits(data()[i], untouched())) return false;
    }
    return true;
  }

 private:
  std::size_t storage(const Where& where) const {
    return count(extents_) == 0 ? 0 : static_cast<std::size_t>(placed_.storage + where.misalignment);
  }
  T* data() const { return reinterpret_cast<T*>(memory_.data()); }
  std::size_t at(const Extents& index) const {
    std::ptrdiff_t offset = placed_.offset;
    for (std::size_t a = 0; a < index.size(); ++a) offset += index[a] * placed_.strides[a];
    return static_cast<std::size_t>(offset);
  }

  Extents extents_;
  Placed placed_;
  std::size_t total_;
  Memory memory_;
};

}  // namespace norma_test
