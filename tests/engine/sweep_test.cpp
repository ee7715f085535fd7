// Sweep: how tensors lie decides the way.
#include <gtest/gtest.h>

#include <vector>

#include <norma/engine/sweep.hpp>

namespace norma_test { namespace {

using norma::Extents;
using norma::index_t;
using norma::Way;

/// x and y of (sets, elements), x with these strides.
template <class T>
struct Case {
  Extents extents, x_strides, y_strides;
  std::vector<T> x = std::vector<T>(20000), y = x;
  norma::Operands operands = make();
  norma::Layout layout{extents, norma::Roles(0b10u), operands};

  norma::Operands make() {
    norma::Operands result;
    result[norma::stream_x] = norma::Operand(norma::TensorView<T>(x.data(), extents, x_strides));
    result[norma::stream_y] = norma::Operand(norma::TensorView<T>(y.data(), extents, y_strides));
    return result;
  }
  norma::Sweep<T, T, 2, 1> sweep() const { return {layout, operands, {norma::stream_x, norma::stream_y}}; }
};

template <class T>
class Ways : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Ways, Elements);

TYPED_TEST(Ways, FollowFromStrides) {
  using C = Case<TypeParam>;
  EXPECT_EQ((C{{9, 40}, {40, 1}, {40, 1}}.sweep().way()), Way::rows);
  EXPECT_EQ((C{{9, 40}, {50, 1}, {40, 1}}.sweep().way()), Way::rows) << "rows apart";
  EXPECT_EQ((C{{40, 9}, {1, 40}, {1, 40}}.sweep().way()), Way::lanes);
  EXPECT_EQ((C{{40, 9}, {1, 50}, {1, 40}}.sweep().way()), Way::lanes);
  EXPECT_EQ((C{{40, 9}, {1, 40}, {9, 1}}.sweep().way()), Way::staged) << "one way in, another out";
  EXPECT_EQ((C{{9, 40}, {80, 2}, {40, 1}}.sweep().way()), Way::staged) << "gaps";
  EXPECT_EQ((C{{9, 40}, {40, -1}, {40, 1}}.sweep().way()), Way::staged) << "backwards";
}

}}  // namespace norma_test
