// Dense rows: which calls they take, and that their bits are those of a plan, also where a row has to go to one.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "subjects/engine.hpp"
#include "support/random.hpp"

namespace norma_test { namespace {

using norma::Extents;
using norma::index_t;

constexpr norma::AxisSet last_of_two = 0b10, last_two_of_three = 0b110, last_of_three = 0b100;

bool found(const Extents& x, const norma::Roles& roles, const Extents& x_strides, const Extents& y_strides, const Extents& weight_strides) {
  norma::Operand weight;
  float number = 1;
  weight.data = &number;
  weight.strides = weight_strides;
  return norma::DenseRows<float, float, 2>().find(x, roles, {&x_strides, &y_strides}, {&weight});
}

TEST(DenseRows, AreRunsOfMemoryInRowsAStrideApart) {
  EXPECT_TRUE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {0, 1}));
  EXPECT_TRUE(found({5, 8}, last_of_two, {20, 1}, {-8, 1}, {0, 1}));
  EXPECT_TRUE(found({3, 5, 8}, last_of_three, {40, 8, 1}, {50, 10, 1}, {0, 0, 1}));
  EXPECT_TRUE(found({3, 5, 8}, last_two_of_three, {40, 8, 1}, {40, 8, 1}, {0, 8, 1}));
  EXPECT_TRUE(found({3, 1, 8}, last_two_of_three, {8, 99, 1}, {8, 7, 1}, {0, 5, 1}));
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {16, 2}, {0, 1})) << "gaps";
  EXPECT_FALSE(found({5, 8}, last_of_two, {1, 5}, {8, 1}, {0, 1})) << "columns";
  EXPECT_FALSE(found({3, 5, 8}, last_of_three, {80, 8, 1}, {40, 8, 1}, {0, 0, 1})) << "no single stride";
  EXPECT_FALSE(found({3, 5, 8}, last_two_of_three, {40, 8, 1}, {8, 24, 1}, {0, 8, 1})) << "another order of rows";
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {8, 1})) << "a weight for each row";
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {0, 0})) << "one weight for all elements";
  EXPECT_FALSE(found({8, 5}, 0b01, {5, 1}, {5, 1}, {1, 0})) << "averaged axes come last";
  EXPECT_FALSE(found({5, 8}, norma::Roles(last_of_two).of_planes(), {8, 1}, {8, 1}, {0, 1})) << "planes";
  EXPECT_FALSE(found({5, 1}, last_of_two, {1, 1}, {1, 1}, {0, 1})) << "nothing along a row";
  EXPECT_FALSE(found({0, 8}, last_of_two, {8, 1}, {8, 1}, {0, 1})) << "no rows";
  EXPECT_FALSE(found({5, 0}, last_of_two, {0, 1}, {0, 1}, {0, 1})) << "empty rows";
  EXPECT_FALSE(found({64, 1024}, last_of_two, {1024, 1}, {1024, 1}, {0, 1})) << "worth a plan";
}

template <class T>
class RowsAndPlans : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(RowsAndPlans, Elements);

/// Tensors of (rows, size), a stride of `pitch` from row to row, and what a call makes of them.
template <class T>
struct Call {
  index_t rows, size, pitch;
  std::vector<T> x = random_values<T>(static_cast<std::size_t>(rows * pitch), 1),
                 dy = random_values<T>(static_cast<std::size_t>(rows * pitch), 2), y = x, dx = x;
  std::vector<T> weight = random_values<T>(static_cast<std::size_t>(size), 3), bias = random_values<T>(static_cast<std::size_t>(size), 4),
                 weight_grad = weight, bias_grad = bias;
  std::vector<T> numbers = std::vector<T>(static_cast<std::size_t>(4 * rows));
  std::vector<double> second = std::vector<double>(static_cast<std::size_t>(rows));
  norma::Statistic statistic{norma::Statistic::Kind::deviation, 1e-5};
  norma::Buffer<std::byte> scratch{};

  norma::StatisticArrays arrays() {
    T* const n = numbers.data();
    return {norma::element_type_of<T>, n, n + rows, n + 2 * rows, n + 3 * rows, second.data()};
  }
  template <std::size_t S>
  norma::DenseRows<T, T, S> dense(const std::vector<T>* const (&tensors)[S]) const {
    norma::DenseRows<T, T, S> result;
    result.rows = rows;
    result.size = size;
    for (std::size_t s = 0; s < S; ++s) {
      result.data[s] = const_cast<T*>(tensors[s]->data());
      result.stride[s] = pitch;
    }
    result.weight = weight.data();
    return result;
  }
  norma::Operands operands(const std::vector<T>& input, const std::vector<T>& output) const {
    norma::Operands result;
    const auto put = [&](norma::Stream stream, const std::vector<T>& v, const Extents& strides) {
      result[stream] = norma::Operand(norma::TensorView<T>(const_cast<T*>(v.data()), {rows, size}, strides));
    };
    put(norma::stream_x, input, {pitch, 1});
    put(norma::stream_y, output, {pitch, 1});
    put(norma::stream_weight, weight, {0, 1});
    put(norma::stream_bias, bias, {0, 1});
    return result;
  }
  index_t forward_of_rows() {
    norma::DenseRows<T, T, 2> r = dense({&x, &y});
    r.bias = bias.data();
    return norma::normalize_rows(r, statistic, arrays());
  }
  void forward_of_plan() {
    norma::normalize_operands<T, T>(norma::ExecutorRef(norma::sequential), statistic, last_of_two, {rows, size}, operands(x, y),
                                    norma::negative_zero<T>, false, arrays(), nullptr, {});
  }
  void backward_of_rows() {
    norma::differentiate_rows(dense({&dy, &x, &dx}), statistic, arrays(), scratch, weight_grad.data(), bias_grad.data());
  }
  void backward_of_plan() {
    norma::Operands streams = operands(x, dx);
    streams[norma::stream_dy] = streams[norma::stream_x].over(dy.data());
    streams[norma::stream_weight_grad] = streams[norma::stream_weight].over(weight_grad.data());
    streams[norma::stream_bias_grad] = streams[norma::stream_weight].over(bias_grad.data());
    streams[norma::stream_bias] = norma::Operand();
    norma::normalize_operands_backward<T, T>(norma::ExecutorRef(norma::sequential), statistic, last_of_two, {rows, size}, streams,
                                             norma::negative_zero<T>, false, arrays(), scratch, {}, norma::Result::replaced, {});
  }
};

TYPED_TEST(RowsAndPlans, HaveTheSameBits) {
  for (const auto& [rows, size, gap] : std::vector<std::array<index_t, 3>>{{1, 2, 0},
                                                                           {1, 16, 0},
                                                                           {3, 5, 2},
                                                                           {2, 31, 0},
                                                                           {5, 33, 3},
                                                                           {16, 64, 0},
                                                                           {17, 100, 1},
                                                                           {64, 40, 0},
                                                                           {64, 96, 0},
                                                                           {4, 300, 4},
                                                                           {2, 1500, 0},
                                                                           {1, 9000, 0}}) {
    SCOPED_TRACE(testing::Message() << rows << " x " << size << ", " << gap << " apart");
    Call<TypeParam> of_rows{rows, size, size + gap}, of_plan{rows, size, size + gap};
    EXPECT_EQ(of_rows.forward_of_rows(), rows);
    of_plan.forward_of_plan();
    EXPECT_EQ(of_rows.y, of_plan.y);
    EXPECT_EQ(of_rows.numbers, of_plan.numbers);
    EXPECT_EQ(of_rows.second, of_plan.second);
    of_rows.backward_of_rows();
    of_plan.backward_of_plan();
    EXPECT_EQ(of_rows.dx, of_plan.dx);
    EXPECT_EQ(of_rows.weight_grad, of_plan.weight_grad);
    EXPECT_EQ(of_rows.bias_grad, of_plan.bias_grad);
  }
}

TYPED_TEST(RowsAndPlans, ATileWithARowThatLeavesTheRangeIsLeftToAPlan) {
  const index_t tile = norma::rows_of_tile(50 * sizeof(TypeParam));
  Call<TypeParam> call{tile + 9, 50, 50};
  call.x[static_cast<std::size_t>((tile + 5) * 50 + 3)] = std::numeric_limits<TypeParam>::max() / 2;
  EXPECT_EQ(call.forward_of_rows(), tile);
}

}}  // namespace norma_test
