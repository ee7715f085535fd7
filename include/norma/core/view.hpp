// norma::view(t): what counts as a tensor, and how a user's own tensor becomes one.
#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include <norma/core/scalar.hpp>
#include <norma/core/tensor_view.hpp>

namespace norma {

/// Customisation point. Specialise it with `static TensorView<E> view(T&)` and/or `static TensorView<const E> view(const T&)`.
template <class T>
struct ViewOf;

/// As it is.
template <class T>
struct ViewOf<TensorView<T>> {
  /// Views it; nothing is copied.
  NORMA_INLINE static constexpr TensorView<T> view(const TensorView<T>& t) noexcept { return t; }
};

template <class T>
inline constexpr bool is_std_array = false;
template <class T, std::size_t N>
inline constexpr bool is_std_array<std::array<T, N>> = true;
template <class T, std::size_t N>
inline constexpr bool is_std_array<const std::array<T, N>> = true;

/// n elements from p on, which may be arrays of arrays themselves: each depth is one more axis.
template <class T>
NORMA_INLINE constexpr auto view_of_arrays(T* p, Extents outer) {
  // No arrays at null. Under sanitizers g++ 12 does not take the comparison for a constant expression.
  if constexpr (std::is_array_v<T>) {
    outer.push_back(static_cast<index_t>(std::extent_v<T>));
    return view_of_arrays(std::is_constant_evaluated() || p != nullptr ? *p : nullptr, outer);
  } else if constexpr (is_std_array<T>) {
    constexpr std::size_t n = std::tuple_size_v<T>;
    static_assert(n == 0 || sizeof(T) == n * sizeof(typename T::value_type), "norma: these arrays do not lie one behind the other");
    outer.push_back(static_cast<index_t>(n));
    return view_of_arrays(std::is_constant_evaluated() || p != nullptr ? p->data() : nullptr, outer);
  } else {
    return TensorView<T>(p, outer);
  }
}

/// Rank 1, and one more for each depth of arrays in it.
template <class T, class Allocator>
struct ViewOf<std::vector<T, Allocator>> {
  ///@{
  /// Views it; nothing is copied.
  NORMA_INLINE static auto view(std::vector<T, Allocator>& t) { return view_of_arrays(t.data(), t.size()); }
  NORMA_INLINE static auto view(const std::vector<T, Allocator>& t) { return view_of_arrays(t.data(), t.size()); }
  ///@}
};

/// Rank 1, and one more for each depth of arrays in it.
template <class T, std::size_t N>
struct ViewOf<std::array<T, N>> {
  ///@{
  /// Views it; nothing is copied.
  NORMA_INLINE static constexpr auto view(std::array<T, N>& t) { return view_of_arrays(t.data(), N); }
  NORMA_INLINE static constexpr auto view(const std::array<T, N>& t) { return view_of_arrays(t.data(), N); }
  ///@}
};

/// Rank 1, and one more for each depth of arrays in it.
template <class T, std::size_t N>
struct ViewOf<std::span<T, N>> {
  /// Views it; nothing is copied.
  NORMA_INLINE static constexpr auto view(std::span<T, N> t) { return view_of_arrays(t.data(), t.size()); }
};

/// Rank 1, and one more for each depth of arrays in it.
template <class T, std::size_t N>
struct ViewOf<T[N]> {
  ///@{
  /// Views it; nothing is copied.
  NORMA_INLINE static constexpr auto view(T (&t)[N]) { return view_of_arrays(t + 0, N); }
  NORMA_INLINE static constexpr auto view(const T (&t)[N]) { return view_of_arrays(t + 0, N); }
  ///@}
};

/// The extents of an mdspan: an object with rank() and extent(axis), or a range of integers.
template <class T>
NORMA_INLINE constexpr Extents extents_of(const T& t) {
  if constexpr (std::is_convertible_v<const T&, Extents>) {
    return t;
  } else {
    Extents result;
    for (std::size_t a = 0; a < static_cast<std::size_t>(t.rank()); ++a) result.push_back(static_cast<index_t>(t.extent(a)));
    return result;
  }
}

/// std::mdspan of C++23 and Kokkos' mdspan, known by what they offer.
template <class T>
concept Mdspan = requires(const T& t, std::size_t axis) {
  requires std::is_pointer_v<std::remove_cvref_t<decltype(t.data_handle())>>;
  extents_of(t.extents());
  { t.stride(axis) } -> std::convertible_to<index_t>;
};

/// Like a pointer: its own const-ness is not its elements'. ShapeError for a layout without strides.
template <Mdspan T>
struct ViewOf<T> {
  /// Views it; nothing is copied.
  NORMA_INLINE static constexpr auto view(const T& t) {
    using E = std::remove_pointer_t<std::remove_cvref_t<decltype(t.data_handle())>>;
    if constexpr (requires { typename T::reference; }) {
      static_assert(std::is_same_v<typename T::reference, E&>,
                    "norma: the accessor of this mdspan computes its elements, which do not lie in memory; copy them to an mdspan with the "
                    "default accessor");
    }
    if constexpr (requires { t.is_strided(); }) {
      if (!t.is_strided()) raise_shape_error("view: this mdspan's layout has no strides");
    }
    const Extents extents = extents_of(t.extents());
    Extents strides;
    if constexpr (!requires {
                    requires T::extents_type::rank()
                    == 0;
                  }) {  // of rank 0, stride() does not compile
      for (int a = 0; a < extents.size(); ++a) strides.push_back(static_cast<index_t>(t.stride(static_cast<std::size_t>(a))));
    }
    return TensorView<E>(t.data_handle(), extents, strides);
  }
};

/// What norma::view accepts.
template <class T>
concept Viewable = requires(std::remove_reference_t<T>& t) {
  ViewOf<std::remove_cvref_t<T>>::view(t);
};

///@{
/// True of types whose elements go when they go: a view of a temporary would dangle, what is written to one is lost.
template <class T>
inline constexpr bool owns_elements = false;
template <class T, class Allocator>
inline constexpr bool owns_elements<std::vector<T, Allocator>> = true;
template <class T, std::size_t N>
inline constexpr bool owns_elements<std::array<T, N>> = true;
template <class T, std::size_t N>
inline constexpr bool owns_elements<T[N]> = true;
///@}
/// True of a temporary of such a type.
template <class T>
inline constexpr bool is_owning_temporary = !std::is_lvalue_reference_v<T> && owns_elements<std::remove_cvref_t<T>>;

/// A TensorView of t, without copying. Rank 1 for vector, array, span; one more for each depth of nested arrays; an mdspan's own; rank 2
/// for Eigen matrices, 1 for Eigen vectors.
template <class T>
NORMA_INLINE constexpr auto view(T&& t) {
  static_assert(
      Viewable<T>,
      "norma: this is not a tensor. Pass a norma::TensorView, std::vector, std::span, array, mdspan or an Eigen object with storage "
      "(include <norma/interop/eigen.hpp>), or specialise norma::ViewOf for your own type");
  static_assert(!is_owning_temporary<T>, "norma: this temporary owns its elements, and a view of it would dangle; give it a name first");
  if constexpr (Viewable<T>) {
    using View = decltype(ViewOf<std::remove_cvref_t<T>>::view(t));
    static_assert(Element<typename View::value_type>,
                  "norma: the elements of a tensor must be float, double or 16-bit numbers (norma::float16, norma::bfloat16, or a type "
                  "with norma::ElementOf)");
    if constexpr (Element<typename View::value_type>) {
      return ViewOf<std::remove_cvref_t<T>>::view(t);
    } else {
      return TensorView<float>();  // the sentences above are error enough
    }
  } else {
    return TensorView<float>();
  }
}

/// view(t), which must be writable.
template <class T>
NORMA_INLINE constexpr auto output_view(T&& t) {
  static_assert(!is_owning_temporary<T>, "norma: this output is a temporary that owns its elements: the result would be lost with it");
  auto result = norma::view(t);
  using E = typename decltype(result)::element_type;
  static_assert(!std::is_const_v<E>, "norma: an output must be writable; this tensor's elements are const");
  if constexpr (std::is_const_v<E>) {
    return TensorView<std::remove_const_t<E>>();  // the sentence above is error enough
  } else {
    return result;
  }
}

/// A view member of an options struct: takes whatever norma::view takes; a null pointer means absent.
template <class T>
class OptionalView {
 public:
  /// Absent.
  OptionalView() = default;
  ///@{
  /// Whatever norma::view takes; a null pointer is absent.
  NORMA_INLINE constexpr OptionalView(const TensorView<T>& v) noexcept : view_(v) {}
  template <class U>
    requires(!std::is_same_v<std::remove_cvref_t<U>, OptionalView> && !std::is_same_v<std::remove_cvref_t<U>, TensorView<T>> && Viewable<U>)
  NORMA_INLINE constexpr OptionalView(U&& t) : view_(convert(norma::view(t))) {
    static_assert(!is_owning_temporary<U>, "norma: this temporary owns its elements, and a view of it would dangle; give it a name first");
  }
  ///@}

  /// Whether it is present.
  NORMA_INLINE constexpr bool has_value() const noexcept { return view_.data() != nullptr; }
  ///@{
  /// The view; a default-constructed one if it is absent.
  NORMA_INLINE constexpr const TensorView<T>& operator*() const noexcept { return view_; }
  NORMA_INLINE constexpr const TensorView<T>* operator->() const noexcept { return &view_; }
  ///@}

 private:
  template <class U>
  NORMA_INLINE static constexpr TensorView<T> convert(const TensorView<U>& v) {
    static_assert(std::is_same_v<std::remove_const_t<U>, std::remove_const_t<T>>,
                  "norma: parameters of a free function are float for float x and double for double x");
    static_assert(std::is_const_v<T> || !std::is_const_v<U>, "norma: a gradient or statistic that is written must not be const");
    if constexpr (std::is_convertible_v<TensorView<U>, TensorView<T>>) {
      return v;
    } else {
      return {};
    }
  }

  TensorView<T> view_;
};

}  // namespace norma
