// xtensor as tensors: containers of dynamic, static and fixed shape, in both orders, adaptors and strided views, without a copy.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xmanipulation.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include <norma/interop/xtensor.hpp>

namespace {

using norma::Extents;
using norma::TensorView;
using Fixed = xt::xtensor_fixed<float, xt::xshape<2, 3>>;
template <class T>
using ColumnMajor = xt::xarray<T, xt::layout_type::column_major>;

template <class T>
using ViewType = decltype(norma::view(std::declval<T>()));
static_assert(std::is_same_v<ViewType<xt::xarray<float>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const xt::xarray<float>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<xt::xtensor<double, 3>&>, TensorView<double>>);
static_assert(std::is_same_v<ViewType<const Fixed&>, TensorView<const float>>);
static_assert(norma::owns_elements<xt::xarray<float>> && norma::owns_elements<xt::xtensor<double, 3>> && norma::owns_elements<Fixed>);

using Sum = decltype(std::declval<xt::xarray<float>&>() + std::declval<xt::xarray<float>&>());
static_assert(!norma::Viewable<Sum>, "an expression has no storage");
using Kept = decltype(xt::view(std::declval<xt::xarray<float>&>(), xt::keep(0, 2, 3)));
static_assert(!norma::Viewable<Kept>, "a list of indices has no stride");

/// The view addresses exactly the elements of t, of rank 2.
template <class X>
void expect_is(X&& t) {
  const auto v = norma::view(t);
  ASSERT_EQ(v.rank(), 2);
  ASSERT_EQ(v.extents(), (Extents{t.shape()[0], t.shape()[1]}));
  for (norma::index_t i = 0; i < v.extent(0); ++i) {
    for (norma::index_t j = 0; j < v.extent(1); ++j) ASSERT_EQ(&v(i, j), &t(i, j)) << i << ", " << j;
  }
}

TEST(XTensorView, Containers) {
  xt::xarray<float> rows = xt::xarray<float>::from_shape({3, 5});
  ColumnMajor<float> columns = ColumnMajor<float>::from_shape({3, 5});
  xt::xtensor<double, 2> of_rank_two = xt::xtensor<double, 2>::from_shape({3, 5});
  Fixed fixed;
  expect_is(rows);
  expect_is(columns);
  expect_is(of_rank_two);
  expect_is(fixed);
  EXPECT_EQ(norma::view(rows).strides(), (Extents{5, 1}));
  EXPECT_EQ(norma::view(columns).strides(), (Extents{1, 3}));
  xt::xarray<float> deep = xt::xarray<float>::from_shape({2, 1, 3, 4}), scalar = 5.0f;
  EXPECT_EQ(norma::view(deep).extents(), (Extents{2, 1, 3, 4}));
  EXPECT_EQ(norma::view(deep).stride(0), 12);
  EXPECT_EQ(norma::view(scalar)(), 5.0f);
}

TEST(XTensorView, AdaptorsOfForeignMemory) {
  std::vector<float> memory(12);
  const std::vector<std::size_t> shape = {3, 4};
  expect_is(xt::adapt(memory, shape));
  const auto v = norma::output_view(xt::adapt(memory.data(), 12, xt::no_ownership(), shape));
  EXPECT_EQ(v.data(), memory.data()) << "a temporary adaptor is a view already";
  const std::vector<float>& constant = memory;
  EXPECT_TRUE((std::is_same_v<ViewType<decltype(xt::adapt(constant, shape))>, TensorView<const float>>));
}

TEST(XTensorView, ViewsThatStridesDescribe) {
  xt::xarray<float> a = xt::arange<float>(60).reshape({6, 10});
  ColumnMajor<float> c = a;
  expect_is(xt::view(a, xt::range(1, 4), xt::range(2, 9, 3)));
  expect_is(xt::view(a, xt::range(5, 1, -2), xt::all()));
  expect_is(xt::view(c, xt::range(1, 4), xt::range(2, 9)));
  expect_is(xt::view(xt::view(a, xt::range(1, 6), xt::all()), xt::range(1, 3), xt::range(3, 5)));
  expect_is(xt::strided_view(a, {xt::range(2, 6), xt::range(0, 10, 4)}));
  expect_is(xt::transpose(a));
  expect_is(xt::flip(a, 1));
  EXPECT_EQ(norma::view(xt::view(a, 2, xt::all())).extents(), Extents{10});
  EXPECT_EQ(norma::view(xt::view(a, xt::all(), 3)).stride(0), 10);
  norma::output_view(xt::view(a, 1, xt::all()))(2) = -1;
  EXPECT_EQ(a(1, 2), -1.0f);
  const xt::xarray<float>& constant = a;
  expect_is(xt::view(constant, xt::range(1, 4), xt::all()));
}

}  // namespace
