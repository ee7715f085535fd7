// Tensor: the owning strided tensor of the tests; knows its logical values and notices every write between them.
#pragma once

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

  /// In row-major order of the logical axes; none if absent.
  Values values() const;
  void set(const Values& values) const;
  void fill(double v) const;
  /// Whether these are its values, to the bit.
  bool holds(const Values& values) const;
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
  void wipe();
  /// True if no element outside the logical tensor was written.
  bool surroundings_untouched() const;
  /// True if nothing at all was written since it was made or wiped.
  bool untouched() const;

 protected:
  void* start() const { return any().data; }
  const Placed& placed() const { return placed_; }

 private:
  std::size_t storage(const Where& where) const {
    return count(extents_) == 0 ? 0 : static_cast<std::size_t>(placed_.storage + where.misalignment);
  }
  /// In the tensor and around it.
  std::size_t written_elements() const;

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
