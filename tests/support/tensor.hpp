// Tensor: the owning strided tensor of the tests; knows its logical values and notices every write between them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <norma/core/tensor_view.hpp>

#include "support/element.hpp"
#include "support/guarded.hpp"
#include "support/layouts.hpp"

namespace norma_test {

/// How a tensor lies in memory.
struct Where {
  Layout layout = Layout::contiguous;
  Placement placement = Placement::heap;
  std::ptrdiff_t misalignment = 0;  // elements between the aligned start of the memory and the tensor
};

/// A strided view whose element type is a value. A null pointer: absent.
struct AnyView {
  Element type = Element::f32;
  void* data = nullptr;
  norma::Extents extents = {}, strides = {};

  AnyView() = default;
  AnyView(Element e, void* p, const norma::Extents& shape, const norma::Extents& steps)
      : type(e), data(p), extents(shape), strides(steps) {}
  template <class T>
  AnyView(const norma::TensorView<T>& v)
      : AnyView(element_of<T>, const_cast<std::remove_const_t<T>*>(v.data()), v.extents(), v.strides()) {}

  template <class T>
  norma::TensorView<T> as() const {
    return {static_cast<T*>(data), extents, strides};
  }
  /// What TensorView::slice and the like make of it.
  template <class F>
  AnyView through(F f) const {
    return with_element(type, [&]<class T>(T) { return AnyView(f(as<T>())); });
  }
  std::size_t size() const { return static_cast<std::size_t>(extents.product()); }

  /// f(byte address) for each element in row-major order.
  template <class F>
  void for_each_element(F f) const {
    const std::size_t n = size();
    std::ptrdiff_t index[norma::max_rank] = {};
    auto* p = static_cast<std::byte*>(data);
    for (std::size_t i = 0; i < n; ++i) {
      f(p);
      for (int a = extents.size(); a-- > 0;) {
        const std::ptrdiff_t step = strides[a] * static_cast<std::ptrdiff_t>(size_of(type));
        p += step;
        if (++index[a] < extents[a]) break;
        p -= step * extents[a];
        index[a] = 0;
      }
    }
  }
  Values values() const {
    Values result;
    if (data == nullptr) return result;
    result.reserve(size());
    for_each_element([&](const std::byte* p) { result.push_back(load(p)); });
    return result;
  }
  void set(const Values& values) const {
    if (values.size() != (data == nullptr ? 0 : size())) throw std::logic_error("AnyView::set: wrong number of values");
    auto next = values.begin();
    for_each_element([&](std::byte* p) { store(p, *next++); });
  }
  void fill(double v) const {
    if (data != nullptr) for_each_element([&](std::byte* p) { store(p, v); });
  }

 private:
  double load(const std::byte* p) const {
    return with_element(type, [&]<class T>(T) {
      if constexpr (sizeof(T) == 2) return static_cast<double>(static_cast<float>(*reinterpret_cast<const T*>(p)));
      return static_cast<double>(*reinterpret_cast<const T*>(p));
    });
  }
  void store(std::byte* p, double v) const {
    with_element(type, [&]<class T>(T) {
      if constexpr (sizeof(T) == 2) {
        *reinterpret_cast<T*>(p) = T(norma::rounded_to_odd(v));
      } else {
        *reinterpret_cast<T*>(p) = static_cast<T>(v);
      }
    });
  }
};

class AnyTensor {
 public:
  /// All elements, and what lies between and around them, hold a NaN of our own.
  AnyTensor(Element type, Extents extents, Where where)
      : type_(type),
        extents_(std::move(extents)),
        placed_(place(extents_, where.layout)),
        total_(storage(where)),
        memory_(total_ * size_of(type), where.placement) {
    placed_.offset = total_ == 0 ? 0 : placed_.offset + where.misalignment;
    wipe();
  }
  AnyTensor(Element type, Extents extents, Where where, const Values& values) : AnyTensor(type, std::move(extents), where) { set(values); }

  AnyView any() const {
    return {type_, memory_.data() + placed_.offset * static_cast<std::ptrdiff_t>(size_of(type_)), extents_, placed_.strides};
  }
  const Extents& extents() const { return extents_; }
  void set(const Values& values) { any().set(values); }
  /// Row-major order of the logical axes, whatever the memory order.
  Values values() const { return any().values(); }

  /// Marks memory that nobody may write and whose value may reach no result.
  void wipe() {
    with_element(type_, [&]<class T>(T) { std::fill_n(reinterpret_cast<T*>(memory_.data()), total_, marked<T>()); });
  }
  /// True if no element outside the logical tensor was written.
  bool surroundings_untouched() const {
    if (total_ == count(extents_)) return true;
    std::vector<bool> inside(total_, false);
    any().for_each_element([&](const std::byte* p) { inside[static_cast<std::size_t>(p - memory_.data()) / size_of(type_)] = true; });
    for (std::size_t i = 0; i < total_; ++i) {
      if (!inside[i] && !is_marked(memory_.data() + i * size_of(type_))) return false;
    }
    return true;
  }
  /// True if nothing at all was written since it was made or wiped.
  bool untouched() const {
    for (std::size_t i = 0; i < total_; ++i) {
      if (!is_marked(memory_.data() + i * size_of(type_))) return false;
    }
    return true;
  }

 protected:
  void* start() const { return any().data; }
  const Placed& placed() const { return placed_; }

 private:
  std::size_t storage(const Where& where) const {
    return count(extents_) == 0 ? 0 : static_cast<std::size_t>(placed_.storage + where.misalignment);
  }
  // Quiet NaNs with a payload that no arithmetic makes.
  template <class T>
  static T marked() {
    if constexpr (sizeof(T) == 2) return std::bit_cast<T>(std::uint16_t{0x7FED});
    if constexpr (sizeof(T) == 4) return std::bit_cast<T>(0x7FC0BEEFu);
    if constexpr (sizeof(T) == 8) return std::bit_cast<T>(std::uint64_t{0x7FF80000DEADBEEFu});
  }
  bool is_marked(const std::byte* p) const {
    return with_element(type_, [&]<class T>(T) {
      const T mark = marked<T>();
      return std::memcmp(p, &mark, sizeof(T)) == 0;
    });
  }

  Element type_;
  Extents extents_;
  Placed placed_;
  std::size_t total_;
  Memory memory_;
};

/// The same where the element type is known.
template <class T>
class Tensor : public AnyTensor {
 public:
  Tensor(Extents extents, Where where) : AnyTensor(element_of<T>, std::move(extents), where) {}
  Tensor(Extents extents, Where where, const std::vector<T>& values) : Tensor(std::move(extents), where) { set(values); }

  norma::TensorView<T> view() { return {static_cast<T*>(start()), extents(), placed().strides}; }
  void set(const std::vector<T>& values) { AnyTensor::set({values.begin(), values.end()}); }
  std::vector<T> values() const {
    const Values values = AnyTensor::values();
    return {values.begin(), values.end()};
  }
};

}  // namespace norma_test
