// TensorView<T>: a non-owning view of a strided tensor of rank 0 to 8.
#pragma once

#include <type_traits>
#include <utility>

#include <norma/core/extents.hpp>

namespace norma {

/// A container whose elements lie one behind the other and are T, or T without const: std::vector, std::array, std::span, ...
template <class C, class T>
concept ContiguousContainerOf = std::ranges::contiguous_range<C> && std::ranges::sized_range<C> &&
                                std::is_convertible_v < std::remove_reference_t<std::ranges::range_reference_t<C>>(*)
[], T (*)[] > ;

/// Pointer, extents and strides (in elements; 0 and negative allowed). Trivially copyable; owns nothing; shares the const-ness of a
/// pointer: a const view of non-const elements can write. A default-constructed view means "absent". Functions that change the shape
/// throw ShapeError; accessors only assert.
template <class T>
class TensorView {
 public:
  ///@{
  /// T, and T without const.
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  ///@}

  /// Absent: a null pointer, rank 0.
  TensorView() = default;

  /// Row-major and contiguous.
  NORMA_INLINE constexpr TensorView(T* data, const Extents& extents) : data_(data), extents_(extents), strides_(extents) {
    index_t stride = 1;
    for (int a = rank(); a-- > 0;) {
      check_extent(a);
      strides_[a] = stride;
      stride = saturating_product(stride, extents_[a]);
    }
    check_size();
  }

  /// Any strides, in elements, one per extent.
  NORMA_INLINE constexpr TensorView(T* data, const Extents& extents, const Extents& strides)
      : data_(data), extents_(extents), strides_(strides) {
    if (extents.size() != strides.size()) {
      raise_shape_error("TensorView: ", extents.size(), " extents but ", strides.size(), " strides");
    }
    for (int a = 0; a < rank(); ++a) check_extent(a);
    check_size();
    check_reach();
  }

  ///@{
  /// The elements of a container, from its first on; a ShapeError unless all of them are there. (An array of C is a pointer here, and so
  /// is not checked.)
  template <class C>
  requires ContiguousContainerOf<C, T> NORMA_INLINE constexpr TensorView(C&& container, const Extents& extents)
      : TensorView(std::ranges::data(container), extents) {
    check_container<C>(static_cast<index_t>(std::ranges::size(container)));
  }
  template <class C>
  requires ContiguousContainerOf<C, T> NORMA_INLINE constexpr TensorView(C&& container, const Extents& extents, const Extents& strides)
      : TensorView(std::ranges::data(container), extents, strides) {
    check_container<C>(static_cast<index_t>(std::ranges::size(container)));
  }
  ///@}

  /// Not TensorView(data, rows, cols): integers would be taken for lists of one, extents and strides.
  template <std::integral I, std::integral... More>
    requires(sizeof...(More) > 0)
  constexpr TensorView(T*, I, More...) {
    static_assert(sizeof(I) == 0, "norma: extents are a list in braces, TensorView(data, {rows, cols}), and strides another one behind it");
  }

  /// A view of mutable elements reads as a view of const ones.
  template <class U>
    requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>)
  NORMA_INLINE constexpr TensorView(const TensorView<U>& other) noexcept
      : data_(other.data()), extents_(other.extents()), strides_(other.strides()) {}

  /// Where the element at index 0, 0, ... lies; null if the view is absent.
  NORMA_INLINE constexpr T* data() const noexcept { return data_; }
  ///@{
  /// How many axes, 0 to 8, and how many elements.
  NORMA_INLINE constexpr int rank() const noexcept { return extents_.size(); }
  NORMA_INLINE constexpr index_t size() const noexcept { return extents_.product(); }
  ///@}
  ///@{
  /// Of one axis, which may count from the back; an axis that is not there is an assertion.
  NORMA_INLINE constexpr index_t extent(index_t axis) const { return extents_[front(axis)]; }
  NORMA_INLINE constexpr index_t stride(index_t axis) const { return strides_[front(axis)]; }
  ///@}
  ///@{
  /// Of all axes.
  NORMA_INLINE constexpr const Extents& extents() const noexcept { return extents_; }
  NORMA_INLINE constexpr const Extents& strides() const noexcept { return strides_; }
  ///@}

  /// The element at one index per axis.
  template <std::integral... I>
  NORMA_INLINE constexpr T& operator()(I... index) const {
    NORMA_ASSERT(static_cast<int>(sizeof...(I)) == rank());
    index_t offset = 0;
    [[maybe_unused]] int axis = 0;
    ((offset += static_cast<index_t>(index) * strides_[axis++]), ...);
    return data_[offset];
  }

  /// True if the elements fill memory in row-major order; extent-1 axes do not matter.
  NORMA_INLINE constexpr bool is_contiguous() const noexcept {
    index_t expected = 1;
    for (int a = rank(); a-- > 0;) {
      if (extents_[a] != 1 && strides_[a] != expected) return false;
      expected *= extents_[a];
    }
    return true;
  }

  /// Axis i of the result is axis `axes[i]` of this view.
  NORMA_INLINE constexpr TensorView permute(const Extents& axes) const {
    if (axes.size() != rank()) raise_shape_error("TensorView::permute: ", axes.size(), " axes given for rank ", rank());
    TensorView result = *this;
    unsigned seen = 0;
    for (int i = 0; i < rank(); ++i) {
      const int a = checked_axis("TensorView::permute", axes[i], rank());
      if (seen & (1u << a)) raise_shape_error("TensorView::permute: axis ", a, " is repeated");
      seen |= 1u << a;
      result.extents_[i] = extents_[a];
      result.strides_[i] = strides_[a];
    }
    return result;
  }

  /// Indices [first, first + count) of one axis.
  NORMA_INLINE constexpr TensorView slice(index_t axis, index_t first, index_t count) const {
    const int a = checked_axis("TensorView::slice", axis, rank());
    if (first < 0 || count < 0 || first > extents_[a] - count) {
      raise_shape_error("TensorView::slice: ", count, " from ", first, " do not lie in extent ", extents_[a], " of axis ", a);
    }
    TensorView result = *this;
    result.move_by(count > 0 ? first * strides_[a] : 0);
    result.extents_[a] = count;
    return result;
  }

  /// Splits one axis of extent E into two of extents (outer, E / outer).
  NORMA_INLINE constexpr TensorView split_axis(index_t axis, index_t outer) const {
    const int a = checked_axis("TensorView::split_axis", axis, rank());
    if (outer < 1 || extents_[a] % outer != 0) {
      raise_shape_error("TensorView::split_axis: extent ", extents_[a], " does not split into ", outer, " parts");
    }
    TensorView result;
    result.data_ = data_;
    const index_t inner = extents_[a] / outer;
    for (int i = 0; i < rank(); ++i) {
      if (i == a) {
        result.extents_.push_back(outer);
        result.strides_.push_back(inner * strides_[a]);
      }
      result.extents_.push_back(i == a ? inner : extents_[i]);
      result.strides_.push_back(strides_[i]);
    }
    return result;
  }

  /// The same elements in the opposite order along one axis (its stride changes sign).
  NORMA_INLINE constexpr TensorView flip(index_t axis) const {
    const int a = checked_axis("TensorView::flip", axis, rank());
    TensorView result = *this;
    if (extents_[a] > 0) result.move_by((extents_[a] - 1) * strides_[a]);
    result.strides_[a] = -strides_[a];
    return result;
  }

  /// NumPy's rule: axes align at the back; an extent of 1, or a missing leading axis, repeats (stride 0). For inputs only.
  NORMA_INLINE constexpr TensorView broadcast(const Extents& extents) const {
    const int lead = extents.size() - rank();
    TensorView result(data_, extents);
    for (int i = 0; i < extents.size(); ++i) {
      const bool repeats = i < lead || (extents_[i - lead] == 1 && extents[i] != 1);
      if (lead < 0 || (!repeats && extents_[i - lead] != extents[i])) {
        raise_shape_error("TensorView::broadcast: ", extents_, " does not broadcast to ", extents);
      }
      result.strides_[i] = repeats ? 0 : strides_[i - lead];
    }
    if (lead < 0) raise_shape_error("TensorView::broadcast: ", extents_, " does not broadcast to ", extents);
    return result;
  }

 private:
  NORMA_INLINE constexpr int front(index_t axis) const {
    NORMA_ASSERT(axis >= -rank() && axis < rank());
    return static_cast<int>(axis < 0 ? axis + rank() : axis);
  }
  NORMA_INLINE constexpr void move_by(index_t elements) noexcept {
    // Under sanitizers g++ 12 does not take the comparison for a constant expression.
    if (std::is_constant_evaluated() || data_ != nullptr) data_ += elements;
  }
  NORMA_INLINE constexpr void check_extent(int a) const {
    if (extents_[a] < 0) raise_shape_error("TensorView: extent ", extents_[a], " of axis ", a, " is negative");
  }
  /// Counts and distances in bytes are index_t's, too; where an extent is 0, those of the other axes.
  NORMA_INLINE constexpr void check_size() const {
    index_t size = 1;
    for (int a = 0; a < rank(); ++a) size = saturating_product(size, extents_[a] > 0 ? extents_[a] : 1);
    if (size > most) raise_shape_error("TensorView: the size of ", extents_, " is not representable");
  }
  NORMA_INLINE constexpr void check_reach() const {
    index_t room = extents_.product() == 0 ? 0 : most;  // what no stride reaches is no matter
    for (int a = 0; a < rank() && room > 0; ++a) {
      const index_t s = strides_[a];
      const index_t reach = saturating_product(extents_[a] - 1, s >= 0 ? s : s < -largest_index ? largest_index : -s);
      if (reach > room) raise_shape_error("TensorView: strides ", strides_, " of ", extents_, " reach beyond what is representable");
      room -= reach;
    }
  }
  template <class C>
  NORMA_INLINE constexpr void check_container(index_t elements) const {
    static_assert(std::ranges::borrowed_range<C>,
                  "norma: this temporary owns its elements, and a view of it would dangle; give it a name first");
    if (size() == 0) return;
    index_t first = 0, last = 0;
    for (int a = 0; a < rank(); ++a) (strides_[a] < 0 ? first : last) += (extents_[a] - 1) * strides_[a];
    if (first < 0)
      raise_shape_error("TensorView: strides ", strides_, " of ", extents_, " reach ", -first, " elements before the container");
    if (last >= elements) {
      raise_shape_error("TensorView: ", extents_, " with strides ", strides_, " wants ", last + 1, " elements, the container has ",
                        elements);
    }
  }
  static constexpr index_t most = largest_index / static_cast<index_t>(sizeof(T));

  T* data_ = nullptr;
  Extents extents_;
  Extents strides_;
};

///@{
/// A view of a container has the container's elements, const if those are.
template <std::ranges::contiguous_range C>
TensorView(C&&, const Extents&) -> TensorView<std::remove_reference_t<std::ranges::range_reference_t<C>>>;
template <std::ranges::contiguous_range C>
TensorView(C&&, const Extents&, const Extents&) -> TensorView<std::remove_reference_t<std::ranges::range_reference_t<C>>>;
///@}

/// Logical (N, C, spatial...) over memory that lies in N, spatial..., C order. Rank 2 or more.
template <class T>
NORMA_INLINE constexpr TensorView<T> channels_last(T* data, const Extents& extents) {
  const int rank = extents.size();
  if (rank < 2) raise_shape_error("channels_last: rank ", rank, " has no channels; (N, C, spatial...) is wanted");
  Extents memory;
  Extents axes;
  for (int m = 0; m < rank; ++m) {
    memory.push_back(extents[m == 0 ? 0 : m == rank - 1 ? 1 : m + 1]);
    axes.push_back(m == 0 ? 0 : m == 1 ? rank - 1 : m - 1);
  }
  return TensorView<T>(data, memory).permute(axes);
}
/// The same of a container, whose elements must be there.
template <std::ranges::contiguous_range C>
  requires(!std::is_array_v<std::remove_reference_t<C>>)
NORMA_INLINE constexpr auto channels_last(C&& container, const Extents& extents) {
  return channels_last(TensorView(std::forward<C>(container), extents).data(), extents);
}

}  // namespace norma
