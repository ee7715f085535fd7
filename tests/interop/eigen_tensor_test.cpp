// Eigen::Tensor as tensors: owned, of fixed size and maps, in both orders, without a copy.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

// First, without the unsupported header.
#include <norma/interop/eigen.hpp>

#include <unsupported/Eigen/CXX11/Tensor>

namespace {

using norma::Extents;
using norma::TensorView;
using ColumnMajor = Eigen::Tensor<float, 3>;
using RowMajor = Eigen::Tensor<float, 3, Eigen::RowMajor>;
using Fixed = Eigen::TensorFixedSize<double, Eigen::Sizes<2, 3, 4>>;

template <class T>
using ViewType = decltype(norma::view(std::declval<T>()));
static_assert(std::is_same_v<ViewType<ColumnMajor&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const RowMajor&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<Fixed&>, TensorView<double>>);
static_assert(std::is_same_v<ViewType<Eigen::TensorMap<RowMajor>>, TensorView<float>>, "a temporary map is a view already");
static_assert(std::is_same_v<ViewType<const Eigen::TensorMap<RowMajor>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<Eigen::TensorMap<const RowMajor>&>, TensorView<const float>>);
static_assert(norma::owns_elements<ColumnMajor> && norma::owns_elements<Fixed> && !norma::owns_elements<Eigen::TensorMap<RowMajor>>);
using Sum = decltype(std::declval<ColumnMajor&>() + std::declval<ColumnMajor&>());
static_assert(!norma::Viewable<Sum> && !norma::EigenTensor<Eigen::MatrixXf>, "an expression has no storage");

/// The view addresses exactly the elements of t.
template <class T>
void expect_is(T& t) {
  const auto v = norma::view(t);
  ASSERT_EQ(v.extents(), (Extents{t.dimension(0), t.dimension(1), t.dimension(2)}));
  for (Eigen::Index i = 0; i < t.dimension(0); ++i) {
    for (Eigen::Index j = 0; j < t.dimension(1); ++j) {
      for (Eigen::Index k = 0; k < t.dimension(2); ++k) ASSERT_EQ(&v(i, j, k), &t(i, j, k)) << i << ", " << j << ", " << k;
    }
  }
}

TEST(EigenTensorView, BothOrders) {
  ColumnMajor column_major(2, 3, 4);
  RowMajor row_major(2, 3, 4);
  Fixed fixed;
  expect_is(column_major);
  expect_is(row_major);
  expect_is(fixed);
  EXPECT_EQ(norma::view(column_major).strides(), (Extents{1, 2, 6}));
  EXPECT_EQ(norma::view(row_major).strides(), (Extents{12, 4, 1}));
}

TEST(EigenTensorView, Maps) {
  std::vector<float> memory(24);
  Eigen::TensorMap<ColumnMajor> column_major(memory.data(), 2, 3, 4);
  Eigen::TensorMap<RowMajor> row_major(memory.data(), 2, 3, 4);
  expect_is(column_major);
  expect_is(row_major);
  norma::output_view(row_major)(1, 2, 3) = 7;
  EXPECT_EQ(memory[23], 7.0f);
}

TEST(EigenTensorView, EmptyAndScalar) {
  ColumnMajor none(2, 0, 4);
  Eigen::Tensor<double, 0> scalar;
  scalar() = 3;
  EXPECT_EQ(norma::view(none).extents(), (Extents{2, 0, 4}));
  EXPECT_EQ(norma::view(scalar).rank(), 0);
  EXPECT_EQ(norma::view(scalar)(), 3.0);
}

}  // namespace
