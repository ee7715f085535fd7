// Operands: the tensors of one call, whose element types are values.
#pragma once

#include <initializer_list>

#include <norma/core/tensor_view.hpp>
#include <norma/kernels/element_access.hpp>
#if NORMA_ENGINE_HERE
#include <norma/kernels/stage.hpp>
#endif

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The tensors one pass walks over together; each is a broadcast view of x's index space.
enum Stream : int {
  stream_x,
  stream_y,
  stream_dy,
  stream_weight,
  stream_bias,
  stream_weight_grad,
  stream_bias_grad,
  stream_stat,  // statistics, in row-major order of the kept axes
  stream_sums,  // sums per cell, see CellSums
  // Fused calls alone have these; kernels do not see them.
  stream_residual,
  stream_sum,
  stream_gate,
  stream_add,
  stream_gate_grad,
  stream_add_grad,
  stream_count,
  stream_sum_grad = stream_residual,  // in a backward
  // Forward: weight and bias of a call that multiplies and adds behind a rounding.
  stream_later_weight = stream_gate_grad,
  stream_later_bias = stream_add_grad
};

/// One bit per stream.
using StreamSet = unsigned;
constexpr StreamSet set_of(std::initializer_list<Stream> streams) {
  StreamSet result = 0;
  for (const Stream s : streams) result |= 1u << s;
  return result;
}
inline constexpr StreamSet all_streams = (1u << stream_count) - 1;
inline constexpr StreamSet fused_streams =
    set_of({stream_residual, stream_sum, stream_gate, stream_add, stream_gate_grad, stream_add_grad});

/// A tensor whose element type is known at run time only. `strides` has x's rank, 0 where it broadcasts; no data means absent.
struct Operand {
  void* data = nullptr;
  const ElementAccess* access = &no_elements;
  Extents strides;

  Operand() = default;
  template <class T>
  explicit Operand(const TensorView<T>& v)
      : data(const_cast<std::remove_const_t<T>*>(v.data())), access(&element_access<element_type_of<T>>()), strides(v.strides()) {}

  bool present() const { return data != nullptr; }
  /// The element `offset` elements away.
  void* at(index_t offset) const { return static_cast<std::byte*>(data) + offset * access->bytes; }
  /// Whether elements are what kernels for A compute with.
  template <class A>
  bool is() const {
    return access->type == element_type_of<A>;
  }
};

struct Operands {
  Operand of[stream_count];
  StreamSet present() const {
    StreamSet result = 0;
    for (int s = 0; s < stream_count; ++s) result |= StreamSet{of[s].present()} << s;
    return result;
  }
  Operand& operator[](Stream s) { return of[s]; }
  const Operand& operator[](Stream s) const { return of[s]; }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
