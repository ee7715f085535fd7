// Values whose squares leave the range of float, in norms that do something of their own with their statistics: a norm of 1e30 * x is that
// of x, as far as eps does not count.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/ranks.hpp"
#include "support/tensor.hpp"

namespace norma_test {
namespace {

using norma::Saved;
using norma::TensorView;

struct Kind {
  const char* name;
  void (*run)(norma::index_t channels, double eps, const TensorView<float>& x, const TensorView<float>& y, const TensorView<float>& dy,
              const TensorView<float>& dx);
};

void train(auto layer, const TensorView<float>& x, const TensorView<float>& y, const TensorView<float>& dy, const TensorView<float>& dx,
           const auto&... ranks) {
  Saved<float> saved;
  layer.forward(ranks..., x, y, saved);
  layer.backward(ranks..., dy, x, saved, dx);
}

const std::vector<Kind>& kinds() {
  using V = TensorView<float>;
  using C = norma::index_t;
  static const std::vector<Kind> all = {
      {"BatchNorm", [](C c, double eps, const V& x, const V& y, const V& dy,
                       const V& dx) { train(norma::BatchNorm<float>(c, {.eps = eps}), x, y, dy, dx); }},
      {"BatchRenorm",
       [](C c, double eps, const V& x, const V& y, const V& dy, const V& dx) {
         train(norma::BatchRenorm<float>(c, {.eps = eps, .schedule = norma::RenormSchedule::constant(1, 0)}), x, y, dy, dx);
       }},
      {"SyncBatchNorm", [](C c, double eps, const V& x, const V& y, const V& dy,
                           const V& dx) { train(norma::SyncBatchNorm<float>(c, {.eps = eps}), x, y, dy, dx, LoneRank()); }},
      {"SwitchableNorm", [](C c, double eps, const V& x, const V& y, const V& dy,
                            const V& dx) { train(norma::SwitchableNorm<float>(c, {.eps = eps}), x, y, dy, dx); }},
      {"BatchInstanceNorm",
       [](C c, double eps, const V& x, const V& y, const V& dy, const V& dx) {
         norma::BatchInstanceNorm<float> layer(c, {.eps = eps});
         std::fill(layer.gate().begin(), layer.gate().end(), 0.25f);
         train(layer, x, y, dy, dx);
       }},
      {"LayerNormSplit", [](C, double eps, const V& x, const V& y, const V& dy,
                            const V& dx) { train(norma::LayerNorm<float>({x.extent(-1)}, {.eps = eps}), x, y, dy, dx, LoneRank()); }},
      {"RMSNormSplit", [](C, double eps, const V& x, const V& y, const V& dy,
                          const V& dx) { train(norma::RMSNorm<float>({x.extent(-1)}, {.eps = eps}), x, y, dy, dx, LoneRank()); }},
  };
  return all;
}

struct ExtremeCase {
  Kind kind;
  Extents extents;
  Layout layout;
  float factor;
};
std::string name_of(const ExtremeCase& c) {
  return std::string(c.kind.name) + "_" + to_string(c.extents) + "_" + norma_test::name_of(c.layout) + (c.factor > 1 ? "_large" : "_small");
}
void PrintTo(const ExtremeCase& c, std::ostream* out) { *out << name_of(c); }

std::vector<ExtremeCase> extreme_cases() {
  std::vector<ExtremeCase> cases;
  for (const Kind& kind : kinds()) {
    for (const Extents& extents : {Extents{4, 6, 8, 8}, Extents{2, 33, 64, 70}, Extents{9, 5, 2, 2}, Extents{40, 7}}) {
      for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::flipped_all}) {
        for (const float factor : {1e30f, 1e-30f}) cases.push_back({kind, extents, layout, factor});
      }
    }
  }
  return cases;
}

class ExtremeValues : public testing::TestWithParam<ExtremeCase> {};

TEST_P(ExtremeValues, GiveWhatOrdinaryOnesGive) {
  const ExtremeCase& c = GetParam();
  Where where;
  where.layout = c.layout;
  const std::vector<float> ordinary = random_values<float>(count(c.extents), 31, 1), upstream = random_values<float>(count(c.extents), 32);
  const auto run = [&](const std::vector<float>& values, std::vector<float>& y_values, std::vector<float>& dx_values) {
    Tensor<float> x(c.extents, where, values), y(c.extents, where), dy(c.extents, where, upstream), dx(c.extents, where);
    c.kind.run(c.extents[1], 0, x.view(), y.view(), dy.view(), dx.view());
    y_values = y.values();
    dx_values = dx.values();
  };
  std::vector<float> extreme = ordinary, y, dx, y_extreme, dx_extreme;
  for (float& v : extreme) v *= c.factor;
  run(ordinary, y, dx);
  run(extreme, y_extreme, dx_extreme);
  float largest = 0;
  for (const float v : dx) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y_extreme[i], y[i], 1e-5 * (1 + std::abs(y[i]))) << "y at " << i;
    // dx shrinks as x grows.
    ASSERT_NEAR(static_cast<double>(dx_extreme[i]) * static_cast<double>(c.factor), dx[i], 1e-4 * (1 + static_cast<double>(largest)))
        << "dx at " << i;
  }
}
INSTANTIATE_TEST_SUITE_P(All, ExtremeValues, testing::ValuesIn(extreme_cases()), [](const auto& each) { return name_of(each.param); });

/// A row whose squares sink to 0 has the same bits beside a row with a NaN, which sends its tile another way.
TEST(ExtremeValuesBesideNaN, LeaveTheBitsOfARow) {
  for (const norma::index_t length : {3, 64, 100, 300, 2000}) {
    const auto n = static_cast<std::size_t>(length);
    for (const float size : {1e-26f, 1e-20f, 1e-3f}) {
      std::vector<float> x = random_values<float>(2 * n, 33, 1);
      for (float& v : x) v *= size;
      std::vector<float> with_nan = x, y(2 * n), y_beside(2 * n);
      with_nan[n + 1] = std::nanf("");
      const norma::LayerNorm<float> layer({length});
      layer(TensorView<const float>(x.data(), {2, length}), TensorView<float>(y.data(), {2, length}));
      layer(TensorView<const float>(with_nan.data(), {2, length}), TensorView<float>(y_beside.data(), {2, length}));
      y.resize(n);
      y_beside.resize(n);
      EXPECT_TRUE(same(y_beside, y)) << length << ", " << size;
    }
  }
}

}  // namespace
}  // namespace norma_test
