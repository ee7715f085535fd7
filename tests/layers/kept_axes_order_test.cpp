// Row norms whose kept axes lie in memory in another order than the logical one: results of a row are those of a contiguous tensor, bit for
// bit, whichever rows share a tile with it.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/shape.hpp"

namespace norma_test {
namespace {

using norma::TensorView;

struct OrderCase {
  std::array<norma::index_t, 3> kept;
  norma::index_t length;
  std::array<int, 3> order;  // the kept axes from slowest to fastest
};
std::string name_of(const OrderCase& c) {
  std::string name;
  for (const norma::index_t e : c.kept) name += std::to_string(e) + "x";
  name += std::to_string(c.length) + "_order_";
  for (const int a : c.order) name += std::to_string(a);
  return name;
}
void PrintTo(const OrderCase& c, std::ostream* out) { *out << name_of(c); }

/// Tiles of 8 and 16 rows that are all rows, more or fewer.
std::vector<OrderCase> order_cases() {
  std::vector<OrderCase> cases;
  const std::vector<std::array<norma::index_t, 3>> shapes = {{2, 4, 2},  {4, 2, 2},  {2, 2, 4},  {2, 2, 2},
                                                             {16, 2, 3}, {2, 16, 3}, {3, 5, 16}, {4, 8, 4}};
  for (const auto& kept : shapes) {
    for (const norma::index_t length : {1, 8, 33, 300, 800}) {
      std::array<int, 3> order = {0, 1, 2};
      do {
        cases.push_back({kept, length, order});
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
  return cases;
}

/// The strides of (kept..., length) whose memory has the kept axes in that order.
norma::Extents strides_of(const OrderCase& c) {
  norma::Extents strides{0, 0, 0, 1};
  norma::index_t stride = c.length;
  for (int i = 3; i-- > 0;) {
    strides[c.order[static_cast<std::size_t>(i)]] = stride;
    stride *= c.kept[static_cast<std::size_t>(c.order[static_cast<std::size_t>(i)])];
  }
  return strides;
}

class KeptAxesOrder : public testing::TestWithParam<OrderCase> {};

template <class Layer>
void check_order(const OrderCase& c) {
  using T = typename decltype(std::declval<Layer&>().weight())::value_type;
  const norma::Extents extents{c.kept[0], c.kept[1], c.kept[2], c.length};
  const auto size = static_cast<std::size_t>(extents.product());
  const std::vector<T> x = random_values<T>(size, 11, 3), dy = random_values<T>(size, 12);
  const auto in_order = [&](const std::vector<T>& values) {
    std::vector<T> memory(size);
    const TensorView<T> to(memory.data(), extents, strides_of(c));
    const TensorView<const T> from(values.data(), extents);
    for (norma::index_t a = 0; a < extents[0]; ++a)
      for (norma::index_t b = 0; b < extents[1]; ++b)
        for (norma::index_t h = 0; h < extents[2]; ++h)
          for (norma::index_t i = 0; i < extents[3]; ++i) to(a, b, h, i) = from(a, b, h, i);
    return memory;
  };
  const auto run = [&](std::vector<T> xm, std::vector<T> dym, const norma::Extents& strides, std::vector<T>& y, std::vector<T>& dx,
                       Layer& layer) {
    norma::Saved<T> saved;
    layer.forward(TensorView<T>(xm.data(), extents, strides), TensorView<T>(y.data(), extents, strides), saved);
    layer.backward(TensorView<T>(dym.data(), extents, strides), TensorView<T>(xm.data(), extents, strides), saved,
                   TensorView<T>(dx.data(), extents, strides));
  };
  const norma::Extents row_major{c.kept[1] * c.kept[2] * c.length, c.kept[2] * c.length, c.length, 1};
  Layer plain({c.length}), permuted({c.length});
  std::vector<T> y(size), dx(size), y_permuted(size), dx_permuted(size);
  run(x, dy, row_major, y, dx, plain);
  run(in_order(x), in_order(dy), strides_of(c), y_permuted, dx_permuted, permuted);
  EXPECT_EQ(in_order(y), y_permuted);
  EXPECT_EQ(in_order(dx), dx_permuted);
  // Gradients of parameters sum over rows in the order of memory.
  const double rows = static_cast<double>(size) / static_cast<double>(c.length);
  for (std::size_t i = 0; i < plain.weight_grad().size(); ++i)
    EXPECT_NEAR(plain.weight_grad()[i], permuted.weight_grad()[i], 64 * rows * static_cast<double>(std::numeric_limits<T>::epsilon()));
}

TEST_P(KeptAxesOrder, LayerNormF32) { check_order<norma::LayerNorm<float>>(GetParam()); }
TEST_P(KeptAxesOrder, LayerNormF64) { check_order<norma::LayerNorm<double>>(GetParam()); }
TEST_P(KeptAxesOrder, RMSNormF32) { check_order<norma::RMSNorm<float>>(GetParam()); }
INSTANTIATE_TEST_SUITE_P(All, KeptAxesOrder, testing::ValuesIn(order_cases()), [](const auto& each) { return name_of(each.param); });

}  // namespace
}  // namespace norma_test
