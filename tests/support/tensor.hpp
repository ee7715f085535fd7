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

  /// f(element), a float& where elements are floats, for each element in row-major order; for none if absent.
  template <class F>
  void for_each_element(F f) const {
    if (data != nullptr) with_element(type, [&]<class T>(T) { for_each_of<T>(f); });
  }
  Values values() const {
    Values result(data == nullptr ? 0 : size());
    double* next = result.data();
    for_each_element([&](auto element) { *next++ = number_of(element); });
    return result;
  }
  void set(const Values& values) const {
    if (values.size() != (data == nullptr ? 0 : size())) throw std::logic_error("AnyView::set: wrong number of values");
    const double* next = values.data();
    for_each_element([&](auto& element) { put_number(element, *next++); });
  }
  void fill(double v) const {
    for_each_element([&](auto& element) { put_number(element, v); });
  }

 private:
  template <class T, class F>
  void for_each_of(F& f) const {
    const auto at = [&](std::ptrdiff_t offset) { f(static_cast<T*>(data)[offset]); };
    for_each_offset(extents, strides, at);
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
    all().for_each_element([]<class T>(T& element) { element = marked<T>(); });
  }
  /// True if no element outside the logical tensor was written.
  bool surroundings_untouched() const {
    if (total_ == count(extents_)) return true;
    std::size_t written = 0;
    any().for_each_element([&](auto element) { written += !is_marked(element); });
    return written == written_elements();
  }
  /// True if nothing at all was written since it was made or wiped.
  bool untouched() const { return written_elements() == 0; }

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
    if constexpr (sizeof(T) == 2) {
      return std::bit_cast<T>(std::uint16_t{0x7FED});
    } else if constexpr (sizeof(T) == 4) {
      return std::bit_cast<T>(0x7FC0BEEFu);
    } else {
      return std::bit_cast<T>(std::uint64_t{0x7FF80000DEADBEEFu});
    }
  }
  template <class T>
  static bool is_marked(const T& element) {
    const T mark = marked<T>();
    return std::memcmp(&element, &mark, sizeof(T)) == 0;
  }
  /// All of the memory as a tensor.
  AnyView all() const {
    const auto n = static_cast<std::ptrdiff_t>(total_);
    return {type_, memory_.data(), {n}, {1}};
  }
  /// In the tensor and around it.
  std::size_t written_elements() const {
    std::size_t written = 0;
    all().for_each_element([&](auto element) { written += !is_marked(element); });
    return written;
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
