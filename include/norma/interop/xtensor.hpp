// xtensor's containers, adaptors and strided views as tensors, without their headers; nothing is copied.
#pragma once

#include <norma/core/view.hpp>

namespace norma {

/// xt::xarray, xtensor, xtensor_fixed, their adaptors, and what xt::view, xt::strided_view and xt::transpose make of them where strides
/// describe it, known by what they offer. An expression that computes its elements is none of these: xt::eval evaluates it.
template <class T>
concept XTensor = requires(T& t, const T& constant) {
  typename T::expression_tag;
  typename T::storage_type;
  requires std::is_pointer_v<decltype(t.data())>;
  { constant.data_offset() } -> std::convertible_to<std::size_t>;
  { *constant.shape().begin() } -> std::convertible_to<index_t>;
  { *constant.strides().begin() } -> std::convertible_to<index_t>;
};

/// A constant one reads, as in xtensor.
template <XTensor T>
struct ViewOf<T> {
  /// Views it; nothing is copied. Of a const one only where it reads.
  NORMA_INLINE static auto view(T& t) {
    if constexpr (std::is_const_v<typename T::storage_type>) {
      return make(std::as_const(t));  // the other data() of an adaptor of constant memory does not compile
    } else {
      return make(t);
    }
  }
  /// Views it; nothing is copied. Of a const one only where it reads.
  NORMA_INLINE static auto view(const T& t) { return make(t); }

 private:
  template <class X>
  NORMA_INLINE static auto make(X& t) {
    // Views have the pointer of what they are views of.
    auto* const first = t.data() == nullptr ? nullptr : t.data() + t.data_offset();
    return TensorView<std::remove_pointer_t<decltype(t.data())>>(first, list(t.shape()), list(t.strides()));
  }
  /// Some of xtensor's lists convert to whatever is asked of them, and so to Extents in more than one way.
  template <class L>
  NORMA_INLINE static Extents list(const L& integers) {
    Extents result;
    for (const auto i : integers) result.push_back(static_cast<index_t>(i));
    return result;
  }
};

/// Containers can be made from a shape; adaptors and views cannot.
template <XTensor T>
  requires requires { &T::template from_shape<Extents>; }
inline constexpr bool owns_elements<T> = true;

}  // namespace norma
