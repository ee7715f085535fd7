// Eigen objects with storage as tensors: matrices of rank 2 as (rows, cols), vectors of rank 1, Eigen::Tensor; nothing is copied.
#pragma once

#include <type_traits>

#include <norma/core/eigen.hpp>
#include <norma/core/view.hpp>

namespace norma {

template <>
struct ElementOf<Eigen::half> {
  static constexpr ElementType type = ElementType::f16;
};
template <>
struct ElementOf<Eigen::bfloat16> {
  static constexpr ElementType type = ElementType::bf16;
};

template <class D>
void takes_dense(const Eigen::DenseBase<D>&);

/// Derived from Eigen::DenseBase<D> for some D: for D = T, or one up as v.segment(i, n) is.
template <class T>
concept EigenDense = requires(const T& t) {
  takes_dense(t);
};

/// A column-major matrix is seen through its strides: extents (rows, cols), strides (1, outer). Writable where Eigen says so.
template <EigenDense T>
struct ViewOf<T> {
  /// Eigen gives views of index lists the flag, but no pointer.
  static constexpr bool has_storage =
      (static_cast<unsigned>(T::Flags) & static_cast<unsigned>(Eigen::DirectAccessBit)) != 0 && requires(const T& t) {
    t.data();
  };
  /// Whether Eigen lets a non-const one be written.
  static constexpr bool is_lvalue = (static_cast<unsigned>(T::Flags) & static_cast<unsigned>(Eigen::LvalueBit)) != 0;
  ///@{
  /// Its elements, and what they are where it is not const.
  using Scalar = typename T::Scalar;
  using Writable = std::conditional_t<is_lvalue, Scalar, const Scalar>;
  ///@}

  ///@{
  /// Views it; nothing is copied. Of a const one only where it reads.
  NORMA_INLINE static TensorView<Writable> view(T& t) { return make<Writable>(t); }
  NORMA_INLINE static TensorView<const Scalar> view(const T& t) { return make<const Scalar>(t); }
  ///@}

 private:
  template <class E, class M>
  NORMA_INLINE static TensorView<E> make(M& t) {
    static_assert(has_storage, "norma: this Eigen expression has no storage to view; evaluate it first, for example with .eval()");
    if constexpr (!has_storage) {
      return {};
    } else {
      E* const data = const_cast<E*>(t.data());
      if constexpr (T::IsVectorAtCompileTime) {
        return TensorView<E>(data, {t.size()}, {t.innerStride()});
      } else {
        return TensorView<E>(data, {t.rows(), t.cols()}, {t.rowStride(), t.colStride()});
      }
    }
  }
};

/// Matrices and arrays; not maps, references and blocks.
template <EigenDense T>
  requires std::is_base_of_v<Eigen::PlainObjectBase<T>, T>
inline constexpr bool owns_elements<T> = true;

/// Eigen::Tensor, TensorFixedSize and TensorMap, known by what they offer: their header is unsupported, and not for all to include.
template <class T>
concept EigenTensor = requires(T& t) {
  typename T::Dimensions;
  typename T::Scalar;
  requires std::is_pointer_v<decltype(t.data())>;
  { t.dimension(0) } -> std::convertible_to<index_t>;
  static_cast<int>(T::NumIndices);
  static_cast<int>(T::Layout);
};

/// The axes in Eigen's order; the first (ColMajor, the default) or the last one (RowMajor) is dense. Writable where Eigen says so.
template <EigenTensor T>
struct ViewOf<T> {
  ///@{
  /// Views it; nothing is copied. Of a const one only where it reads.
  NORMA_INLINE static auto view(T& t) { return make(t); }
  NORMA_INLINE static auto view(const T& t) { return make(t); }
  ///@}

 private:
  template <class M>
  NORMA_INLINE static auto make(M& t) {
    Extents extents;
    for (unsigned a = 0; a < static_cast<unsigned>(T::NumIndices); ++a) extents.push_back(static_cast<index_t>(t.dimension(a)));
    Extents strides = extents;
    index_t stride = 1;
    for (int i = 0; i < extents.size(); ++i) {
      const int a = static_cast<int>(T::Layout) == static_cast<int>(Eigen::RowMajor) ? extents.size() - 1 - i : i;
      strides[a] = stride;
      stride = saturating_product(stride, extents[a]);
    }
    return TensorView<std::remove_pointer_t<decltype(t.data())>>(t.data(), extents, strides);
  }
};

/// A constant TensorMap can write, a constant tensor of its own memory cannot.
template <EigenTensor T>
  requires(!std::is_same_v<decltype(std::declval<T&>().data()), decltype(std::declval<const T&>().data())>)
inline constexpr bool owns_elements<T> = true;

}  // namespace norma
