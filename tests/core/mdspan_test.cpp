// norma::view of mdspan: whatever has data_handle(), extents() and stride(axis), as std::mdspan and Kokkos' have.
#include <gtest/gtest.h>

#include <array>
#include <type_traits>
#include <vector>

#include <norma/core/view.hpp>

#include "support/errors.hpp"

namespace {

using norma::Extents;
using norma::TensorView;

/// What std::mdspan shows of itself, with unsigned numbers as there.
template <class T, std::size_t Rank, class Reference = T&>
struct Span {
  struct Shape {
    std::array<unsigned, Rank> of;
    static constexpr std::size_t rank() { return Rank; }
    constexpr unsigned extent(std::size_t axis) const { return of[axis]; }
  };
  using reference = Reference;

  T* pointer;
  Shape shape;
  std::array<unsigned, Rank> strides;
  bool strided = true;

  constexpr T* const& data_handle() const { return pointer; }
  constexpr const Shape& extents() const { return shape; }
  constexpr unsigned stride(std::size_t axis) const { return strides[axis]; }
  constexpr bool is_strided() const { return strided; }
};

/// The least that will do, with extents that are a range of integers.
struct Least {
  const double* pointer;
  const double* data_handle() const { return pointer; }
  std::array<int, 2> extents() const { return {2, 3}; }
  int stride(std::size_t axis) const { return axis == 0 ? -3 : 1; }
};

template <class T>
using ViewType = decltype(norma::view(std::declval<T>()));
static_assert(std::is_same_v<ViewType<Span<float, 2>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const Span<float, 2>&>, TensorView<float>>, "its own const-ness is not its elements'");
static_assert(std::is_same_v<ViewType<Span<const double, 2>>, TensorView<const double>>, "a temporary one is a view already");
static_assert(std::is_same_v<ViewType<Least>, TensorView<const double>>);

struct NoPointer {
  int data_handle() const { return 0; }
  Extents extents() const { return {}; }
  int stride(std::size_t) const { return 0; }
};
static_assert(!norma::Viewable<NoPointer>);

TEST(MdspanView, KeepsPointerExtentsAndStrides) {
  std::vector<float> m(60);
  const Span<float, 3> padded{m.data() + 1, {{2, 3, 4}}, {30, 10, 2}};
  const auto v = norma::view(padded);
  EXPECT_EQ(v.data(), m.data() + 1);
  EXPECT_EQ(v.extents(), (Extents{2, 3, 4}));
  EXPECT_EQ(v.strides(), (Extents{30, 10, 2}));
  norma::output_view(padded)(1, 2, 3) = 5;
  EXPECT_EQ(m[1 + 30 + 20 + 6], 5.0f);
  EXPECT_EQ(norma::view(Span<float, 0>{m.data(), {}, {}}).rank(), 0);
  EXPECT_EQ(norma::view(Span<float, 2>{nullptr, {{0, 3}}, {3, 1}}).size(), 0);
}

TEST(MdspanView, ExtentsMayBeARange) {
  const double m[6] = {0, 1, 2, 3, 4, 5};
  const auto v = norma::view(Least{m + 3});
  EXPECT_EQ(v.extents(), (Extents{2, 3}));
  EXPECT_EQ(&v(1, 2), m + 2);
}

TEST(MdspanView, Mistakes) {
  std::vector<float> m(4);
  norma_test::expect_shape_error("view", {"no strides"}, [&] { norma::view(Span<float, 1>{m.data(), {{4}}, {1}, false}); });
  norma_test::expect_shape_error("TensorView", {"more than 8 axes"}, [&] { norma::view(Span<float, 9>{m.data(), {}, {}}); });
}

}  // namespace
