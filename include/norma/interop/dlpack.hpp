// norma::dlpack(tensor, f): a DLTensor of NumPy, PyTorch, TVM, ... as a TensorView. Needs dlpack.h (Debian: libdlpack-dev).
#pragma once

#ifndef DLPACK_DLPACK_H_  // PyTorch and others bring one of their own
#include <dlpack/dlpack.h>
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <norma/core/scalar.hpp>
#include <norma/core/tensor_view.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The view of a DLTensor whose elements are E.
template <class E>
inline TensorView<E> dlpack_view(const DLTensor& tensor) {
  using Byte = std::conditional_t<std::is_const_v<E>, const std::byte, std::byte>;
  Extents extents, strides;
  for (int a = 0; a < tensor.ndim; ++a) {
    extents.push_back(static_cast<index_t>(tensor.shape[a]));
    if (tensor.strides != nullptr) strides.push_back(static_cast<index_t>(tensor.strides[a]));
  }
  Byte* const first = static_cast<Byte*>(tensor.data) + (tensor.data != nullptr ? tensor.byte_offset : 0);
  if (reinterpret_cast<std::uintptr_t>(first) % alignof(E) != 0) {
    raise_shape_error("dlpack: the elements of ", sizeof(E), " bytes do not begin at a multiple of ", alignof(E), "; byte_offset is ",
                      tensor.byte_offset);
  }
  E* const elements = reinterpret_cast<E*>(first);
  const TensorView<E> view = tensor.strides != nullptr ? TensorView<E>(elements, extents, strides) : TensorView<E>(elements, extents);
  if (elements == nullptr && view.size() > 0) raise_shape_error("dlpack: data is a null pointer with extents ", extents);
  return view;
}

/// f(view) for the element type of the tensor, const if Tensor is.
template <class Tensor, class F>
inline decltype(auto) with_dlpack_view(Tensor& tensor, F& f) {
  const auto call = [&]<class E>(const E*) -> decltype(auto) {
    return f(dlpack_view<std::conditional_t<std::is_const_v<Tensor>, const E, E>>(tensor));
  };
  const auto [code, bits, lanes] = tensor.dtype;
  if (tensor.device.device_type != kDLCPU) {
    raise_shape_error("dlpack: the tensor is on a device of type ", static_cast<int>(tensor.device.device_type),
                      "; wanted is memory of the CPU, ", static_cast<int>(kDLCPU));
  }
  if (tensor.ndim < 0 || tensor.ndim > max_rank)
    raise_shape_error("dlpack: the tensor has ", tensor.ndim, " axes; wanted are 0 to ", max_rank);
  if (lanes == 1 && code == kDLFloat && bits == 32) return call(static_cast<const float*>(nullptr));
  if (lanes == 1 && code == kDLFloat && bits == 64) return call(static_cast<const double*>(nullptr));
  if (lanes == 1 && code == kDLFloat && bits == 16) return call(static_cast<const float16*>(nullptr));
  if (lanes == 1 && code == kDLBfloat && bits == 16) return call(static_cast<const bfloat16*>(nullptr));
  raise_shape_error("dlpack: the elements are ", lanes, " lanes of ", bits, " bits with type code ", code,
                    "; wanted are one lane of 16, 32 or 64 bits of kDLFloat (", static_cast<int>(kDLFloat), ") or 16 of kDLBfloat (",
                    static_cast<int>(kDLBfloat), ")");
}

///@{
/// Calls f with the TensorView of a DLTensor in memory of the CPU and returns what f returns, of one type for all views: TensorView of
/// float, double, norma::float16 or norma::bfloat16, as its dtype says; of const elements if the DLTensor is const. Nothing is copied,
/// nothing is freed: the tensor's owner keeps it for as long as f's views are used. Null strides mean row-major and contiguous. ShapeError,
/// before f is called, for another device (pinned memory included) or dtype, vector lanes, more than 8 axes, elements off their alignment.
template <class F>
inline decltype(auto) dlpack(DLTensor& tensor, F&& f) {
  return with_dlpack_view(tensor, f);
}
template <class F>
inline decltype(auto) dlpack(const DLTensor& tensor, F&& f) {
  return with_dlpack_view(tensor, f);
}
///@}

}}  // namespace norma::NORMA_ISA_NAMESPACE
