// Eigen objects as tensors: matrices, arrays, vectors, maps, refs and blocks, in both storage orders, without a copy.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include <norma/interop/eigen.hpp>

namespace {

using norma::Extents;
using norma::TensorView;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class T>
using ViewType = decltype(norma::view(std::declval<T>()));

static_assert(std::is_same_v<ViewType<Eigen::MatrixXf&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const Eigen::MatrixXf&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<Eigen::ArrayXXd&>, TensorView<double>>);
static_assert(std::is_same_v<ViewType<Eigen::Map<const Eigen::MatrixXf>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<Eigen::Ref<Eigen::MatrixXf>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<Eigen::Ref<const Eigen::MatrixXf>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<Eigen::VectorXd&>, TensorView<double>>);

/// The view addresses exactly the matrix' coefficients.
template <class M>
void expect_is(M& matrix) {
  const auto v = norma::view(matrix);
  ASSERT_EQ(v.rank(), 2);
  ASSERT_EQ(v.extents(), (Extents{matrix.rows(), matrix.cols()}));
  for (Eigen::Index r = 0; r < matrix.rows(); ++r) {
    for (Eigen::Index c = 0; c < matrix.cols(); ++c) ASSERT_EQ(&v(r, c), &matrix.coeffRef(r, c)) << r << ", " << c;
  }
}

TEST(EigenView, MatricesInBothOrders) {
  Eigen::MatrixXf column_major = Eigen::MatrixXf::Random(3, 5);
  RowMajor row_major = RowMajor::Random(3, 5);
  Eigen::Matrix<double, 2, 4> fixed = Eigen::Matrix<double, 2, 4>::Random();
  Eigen::ArrayXXf array = Eigen::ArrayXXf::Random(4, 4);
  expect_is(column_major);
  expect_is(row_major);
  expect_is(fixed);
  expect_is(array);
  Eigen::MatrixXf none(0, 5), flat(5, 0);
  expect_is(none);
  expect_is(flat);
  EXPECT_EQ(norma::view(column_major).strides(), (Extents{1, 3}));
  EXPECT_EQ(norma::view(row_major).strides(), (Extents{5, 1}));
}

TEST(EigenView, Blocks) {
  Eigen::MatrixXf column_major = Eigen::MatrixXf::Random(6, 7);
  RowMajor row_major = RowMajor::Random(6, 7);
  auto block = column_major.block(1, 2, 3, 4);
  auto row_block = row_major.block(2, 1, 4, 5);
  auto rows = row_major.topRows(2);
  expect_is(block);
  expect_is(row_block);
  expect_is(rows);
  EXPECT_EQ(norma::view(row_block).strides(), (Extents{7, 1}));
}

TEST(EigenView, VectorsAreOfRankOne) {
  Eigen::VectorXf column = Eigen::VectorXf::Random(5);
  Eigen::RowVectorXd row = Eigen::RowVectorXd::Random(4);
  Eigen::MatrixXf m = Eigen::MatrixXf::Random(3, 4);
  EXPECT_EQ(norma::view(column).extents(), Extents{5});
  EXPECT_EQ(norma::view(column).data(), column.data());
  EXPECT_EQ(norma::view(row).extents(), Extents{4});
  auto of_matrix = m.row(1);
  EXPECT_EQ(norma::view(of_matrix).extents(), Extents{4});
  EXPECT_EQ(norma::view(of_matrix).strides(), Extents{3});
  EXPECT_EQ(&norma::view(of_matrix)(2), &m(1, 2));
  auto segment = column.segment(1, 3);
  EXPECT_EQ(norma::view(segment).data(), column.data() + 1);
}

TEST(EigenView, MapsWithStrides) {
  std::vector<float> memory(100);
  Eigen::Map<RowMajor> plain(memory.data(), 4, 5);
  Eigen::Map<RowMajor, 0, Eigen::OuterStride<>> outer(memory.data(), 4, 5, Eigen::OuterStride<>(11));
  Eigen::Map<Eigen::MatrixXf, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> both(memory.data(), 4, 5, {20, 3});
  expect_is(plain);
  expect_is(outer);
  expect_is(both);
  EXPECT_EQ(norma::view(outer).strides(), (Extents{11, 1}));
  EXPECT_EQ(norma::view(both).strides(), (Extents{3, 20}));
  Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>> every_third(memory.data(), 7, Eigen::InnerStride<>(3));
  EXPECT_EQ(norma::view(every_third).strides(), Extents{3});
}

TEST(EigenView, RefsTransposesConstAndTemporaries) {
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(3, 5);
  Eigen::Ref<Eigen::MatrixXf> ref = matrix;
  expect_is(ref);
  auto transposed = matrix.transpose();
  expect_is(transposed);
  const Eigen::MatrixXf& m = matrix;
  EXPECT_EQ(norma::view(m).data(), m.data());
  const auto block = m.block(1, 1, 2, 2);
  static_assert(std::is_same_v<ViewType<decltype(block)&>, TensorView<const float>>);
  EXPECT_EQ(&norma::view(block)(1, 1), &m(2, 2));
  EXPECT_EQ(norma::view(m.leftCols(2)).extents(), (Extents{3, 2})) << "a temporary block is a view already";
}

}  // namespace
