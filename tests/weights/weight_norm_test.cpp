// WeightNorm against plain loops and finite differences: shapes, axes, layouts, executors, rows of any size, its state and its errors.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <norma/norma.hpp>

#include "support/compare.hpp"
#include "support/counting_new.hpp"
#include "support/executors.hpp"
#include "support/finite_differences.hpp"
#include "support/weights.hpp"

namespace norma_test {
namespace {

norma::WeightNormOptions options_of(const WeightShape& shape) {
  norma::WeightNormOptions options;
  options.dim = shape.dim ? std::optional<norma::index_t>(*shape.dim) : std::nullopt;
  return options;
}

/// The reference's question: v normalized over all axes but dim, g in the place of a weight.
Setting setting_of(const WeightShape& shape) {
  Setting s;
  s.extents = shape.extents;
  s.axes.clear();
  for (std::size_t a = 0; a < shape.extents.size(); ++a) {
    if (!shape.dim || a != shape.axis()) s.axes.push_back(static_cast<std::ptrdiff_t>(a));
  }
  s.weight = Form::per_set;
  s.bias = Form::absent;
  s.eps = 0;
  return s;
}

/// A layer with the v and g of `in`, built from v in some layout.
template <class T>
norma::WeightNorm<T> layer_with(const WeightShape& shape, const Inputs<T, T, T>& in, const Where& where) {
  Tensor<T> w0(shape.extents, where, in.x);
  norma::WeightNorm<T> layer(w0.view(), options_of(shape));
  std::copy(in.weight.begin(), in.weight.end(), layer.g().begin());
  return layer;
}

template <class T>
struct Results {
  std::vector<T> w, dv, dg;
};

/// One training step, on tensors that lie somewhere, with some executor or none.
template <class T>
Results<T> step(norma::WeightNorm<T>& layer, const WeightShape& shape, const std::vector<T>& gradient, const Where& where,
                const Pool* pool) {
  Tensor<T> w(shape.extents, where), dw(shape.extents, where, gradient);
  norma::Saved<T> saved;
  if (pool == nullptr) {
    layer.forward(w.view(), saved);
    layer.backward(dw.view(), saved);
  } else {
    layer.forward(*pool, w.view(), saved);
    layer.backward(*pool, dw.view(), saved);
  }
  EXPECT_TRUE(w.surroundings_untouched() && dw.surroundings_untouched());
  EXPECT_TRUE(same(dw.values(), gradient));
  return {w.values(), values_of(layer.v_grad()), values_of(layer.g_grad())};
}

class WeightNorms : public testing::TestWithParam<WeightCase> {
 protected:
  /// Calls f(zero of the case's type).
  template <class F>
  void typed(F f) const {
    if (GetParam().f64) {
      f(double());
    } else {
      f(float());
    }
  }
  Where where() const {
    Where w;
    w.layout = GetParam().layout;
    return w;
  }
  const WeightShape& shape() const { return GetParam().shape; }
};

TEST_P(WeightNorms, AgreeWithTheReference) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const Setting s = setting_of(shape());
    const auto in = random_inputs<T, T, T>(s, 11);
    const reference::Problem p = problem(s, in);
    const reference::Answer exact = reference::unit_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    auto layer = layer_with(shape(), in, where());
    EXPECT_TRUE(same(values_of(layer.v()), in.x)) << "v is w0 bit for bit";
    const Results<T> r = step(layer, shape(), in.dy, where(), nullptr);
    EXPECT_TRUE(within(r.w, exact.y, bound.y)) << "w";
    EXPECT_TRUE(within(r.dv, exact.dx, bound.dx)) << "dv";
    EXPECT_TRUE(within(r.dg, exact.dweight, bound.dweight)) << "dg";
    Tensor<T> inferred(shape().extents, where());
    layer(inferred.view());
    EXPECT_TRUE(same(inferred.values(), r.w)) << "inference and training differ";
    EXPECT_TRUE(inferred.surroundings_untouched());
    EXPECT_TRUE(same(layer.bake(), r.w)) << "bake";
    EXPECT_TRUE(same(values_of(layer.v()), in.x)) << "v was changed";
    EXPECT_TRUE(same(values_of(layer.g()), in.weight)) << "g was changed";
  });
}

// Layout, executor and alignment decide no bit, and gradients add up.
TEST_P(WeightNorms, SameBitsWhereverAndWithWhom) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const auto in = random_inputs<T, T, T>(setting_of(shape()), 12);
    auto plain = layer_with(shape(), in, {});
    const Results<T> expected = step(plain, shape(), in.dy, {}, nullptr);
    const ShuffledPool shuffled(7);
    const ThreadPool threads(2);
    for (const Pool* pool : {static_cast<const Pool*>(nullptr), static_cast<const Pool*>(&shuffled), static_cast<const Pool*>(&threads)}) {
      Where place = where();
      place.misalignment = pool == nullptr ? 3 : 0;
      auto layer = layer_with(shape(), in, place);
      const Results<T> r = step(layer, shape(), in.dy, place, pool);
      EXPECT_TRUE(same(r.w, expected.w)) << "w";
      EXPECT_TRUE(same(r.dv, expected.dv)) << "dv";
      EXPECT_TRUE(same(r.dg, expected.dg)) << "dg";
      const Results<T> twice = step(layer, shape(), in.dy, place, pool);
      for (std::size_t i = 0; i < twice.dg.size(); ++i) EXPECT_EQ(twice.dg[i], 2 * r.dg[i]);
      // Added inside one fma chain, the second share may round once more.
      const real eps = std::numeric_limits<T>::epsilon();
      for (std::size_t i = 0; i < twice.dv.size(); ++i)
        EXPECT_LE(std::abs(static_cast<real>(twice.dv[i]) - 2 * r.dv[i]), 2 * eps * std::abs(r.dv[i]));
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, WeightNorms, testing::ValuesIn(weight_cases(true)), CaseName());

class WeightNormIdentities : public WeightNorms {};

// The function a weight was part of does not change when the weight is taken apart: w = w0 and ||w row|| = |g|.
TEST_P(WeightNormIdentities, KeepTheFunction) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const Setting s = setting_of(shape());
    const auto in = random_inputs<T, T, T>(s, 13);
    Tensor<T> w0(shape().extents, where(), in.x);
    norma::WeightNorm<T> layer(w0.view(), options_of(shape()));
    const std::vector<T> w = layer.bake();
    const real eps = std::numeric_limits<T>::epsilon();
    for (std::size_t i = 0; i < w.size(); ++i) EXPECT_LE(std::abs(static_cast<real>(w[i]) - in.x[i]), 4 * eps * std::abs(in.x[i])) << i;
    const auto rows = reference::sets_over_axes(problem(s, in));
    ASSERT_EQ(rows.size(), layer.g().size());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      real squares = 0;
      for (const std::size_t i : rows[r]) squares += static_cast<real>(w[i]) * w[i];
      EXPECT_LE(std::abs(std::sqrt(squares) - layer.g()[r]), 4 * eps * layer.g()[r]) << r;
    }
  });
}

// d v . v = 0 in every row.
TEST_P(WeightNormIdentities, GradientIsOrthogonal) {
  typed([&](auto zero) {
    using T = decltype(zero);
    const Setting s = setting_of(shape());
    const auto in = random_inputs<T, T, T>(s, 14);
    const reference::Problem p = problem(s, in);
    const reference::Answer exact = reference::unit_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    auto layer = layer_with(shape(), in, where());
    const Results<T> r = step(layer, shape(), in.dy, where(), nullptr);
    for (const auto& row : exact.sets) {
      real product = 0, allowed = 0;
      for (const std::size_t i : row) {
        product += static_cast<real>(r.dv[i]) * in.x[i];
        allowed += bound.dx[i] * std::abs(in.x[i]);
      }
      EXPECT_LE(std::abs(product), allowed);
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, WeightNormIdentities, testing::ValuesIn(contiguous_weight_cases(true)), CaseName());

class WeightNormGradients : public testing::TestWithParam<WeightShape> {};

TEST_P(WeightNormGradients, AgreeWithFiniteDifferences) {
  const WeightShape& shape = GetParam();
  if (count(shape.extents) > 200) return;  // lengths are the reference's business
  auto in = random_inputs<double, double, double>(setting_of(shape), 21);
  auto layer = layer_with(shape, in, {});
  const Results<double> r = step(layer, shape, in.dy, {}, nullptr);
  const auto loss = [&] {
    auto changed = layer_with(shape, in, {});
    const std::vector<double> w = changed.bake();
    double sum = 0;
    for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * in.dy[i];
    return sum;
  };
  double size = 0, shortest = HUGE_VAL;
  const std::vector<double> w = layer.bake();
  for (std::size_t i = 0; i < w.size(); ++i) size += std::abs(w[i] * in.dy[i]);
  const norma::WeightNorm<double> fresh(norma::TensorView<const double>(in.x.data(), norma::Extents(shape.extents)), options_of(shape));
  for (const double length : fresh.g()) shortest = std::min(shortest, length);
  const std::vector<double> dv = finite_differences(in.x, loss), dg = finite_differences(in.weight, loss);
  const double allowed = difference_error(1 + size, 1 / shortest);
  for (std::size_t i = 0; i < dv.size(); ++i) EXPECT_NEAR(r.dv[i], dv[i], allowed) << i;
  for (std::size_t i = 0; i < dg.size(); ++i) EXPECT_NEAR(r.dg[i], dg[i], allowed) << i;
}
INSTANTIATE_TEST_SUITE_P(All, WeightNormGradients, testing::ValuesIn(weight_shapes(true)), CaseName());

template <class T>
class WeightNormOf : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(WeightNormOf, Types);

// A row of zeros is legal whatever its neighbours: w and all its gradients are 0 exactly, the others as if it were not there.
TYPED_TEST(WeightNormOf, RowsOfZeros) {
  using T = TypeParam;
  for (const std::ptrdiff_t length : {1, 7, 64, 1030}) {
    const std::ptrdiff_t rows = 5;
    std::vector<T> w0 = random_values<T>(static_cast<std::size_t>(rows * length), 31), dw = random_values<T>(w0.size(), 32), w(w0.size());
    for (std::ptrdiff_t i = 0; i < length; ++i) w0[static_cast<std::size_t>(2 * length + i)] = i % 2 == 0 ? T(0) : -T(0);
    const norma::TensorView<T> out(w.data(), {rows, length});
    norma::WeightNorm<T> layer(norma::TensorView<T>(w0.data(), {rows, length}));
    EXPECT_EQ(layer.g()[2], T(0));
    for (const T g : {T(0), T(3)}) {
      layer.g()[2] = g;
      layer.zero_grad();
      norma::Saved<T> saved;
      layer.forward(out, saved);
      layer.backward(norma::TensorView<T>(dw.data(), {rows, length}), saved);
      for (std::ptrdiff_t i = 0; i < rows * length; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (i / length == 2) {
          EXPECT_EQ(w[at], T(0));
          EXPECT_EQ(layer.v_grad()[at], T(0));
        } else {
          EXPECT_TRUE(std::isfinite(layer.v_grad()[at]) && w[at] != T(0));
        }
      }
      EXPECT_EQ(layer.g_grad()[2], T(0));
      EXPECT_NE(layer.g_grad()[1], T(0));
    }
  }
}

// Rows whose squares leave T's range are ordinary rows: the direction does not know the size.
TYPED_TEST(WeightNormOf, RowsOfAnySize) {
  using T = TypeParam;
  const bool f32 = sizeof(T) == 4;
  for (const std::ptrdiff_t length : {1, 3, 40, 500}) {
    Setting s;
    s.extents = {4, length};
    s.weight = Form::per_set;
    s.bias = Form::absent;
    s.eps = 0;
    auto in = random_inputs<T, T, T>(s, 41);
    const T sizes[] = {f32 ? T(1e30) : T(1e200), f32 ? T(1e-30) : T(1e-200), T(1), f32 ? T(1e18) : T(1e150)};
    for (std::size_t i = 0; i < in.x.size(); ++i) in.x[i] *= sizes[i / static_cast<std::size_t>(length)];
    WeightShape shape{s.extents, 0};
    auto layer = layer_with(shape, in, {});
    const reference::Problem p = problem(s, in);
    const reference::Answer exact = reference::unit_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    const norma::WeightNorm<T> fresh(norma::TensorView<const T>(in.x.data(), {4, length}));
    for (std::size_t r = 0; r < 4; ++r) {
      EXPECT_LE(std::abs(fresh.g()[r] - std::sqrt(exact.variance[r])),
                4 * std::numeric_limits<T>::epsilon() * std::sqrt(exact.variance[r]));
    }
    const Results<T> r = step(layer, shape, in.dy, {}, nullptr);
    EXPECT_TRUE(within(r.w, exact.y, bound.y)) << "w";
    EXPECT_TRUE(within(r.dv, exact.dx, bound.dx)) << "dv";
    EXPECT_TRUE(within(r.dg, exact.dweight, bound.dweight)) << "dg";
  }
}

// The other element type for w0, w and dw.
/// The length of a row of subnormals is one, too.
TEST(WeightNormOfFloats, RowsOfSubnormals) {
  const float tiny = std::numeric_limits<float>::denorm_min() * 65536;
  const std::vector<float> w0 = {tiny, tiny, tiny, tiny, 3, 4, 0, 0};
  const norma::WeightNorm<float> wn(norma::TensorView<const float>(w0.data(), {2, 4}));
  EXPECT_EQ(wn.g()[0], 2 * tiny);
  EXPECT_EQ(wn.g()[1], 5);
  const std::vector<float> w = wn.bake();
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i], w0[i], 1e-4 * w0[i]) << i;
}

TYPED_TEST(WeightNormOf, MixedElementTypes) {
  using T = TypeParam;
  using U = std::conditional_t<sizeof(T) == 4, double, float>;
  const std::vector<U> w0 = random_values<U>(6 * 50, 51), dw = random_values<U>(6 * 50, 52);
  const std::vector<T> w0_rounded(w0.begin(), w0.end()), dw_rounded(dw.begin(), dw.end());
  std::vector<U> w(w0.size());
  std::vector<T> w_plain(w0.size());
  const norma::Extents extents{6, 50};
  norma::WeightNorm<T> layer(norma::TensorView<const U>(w0.data(), extents)), plain(norma::TensorView<const T>(w0_rounded.data(), extents));
  norma::Saved<T> saved, saved_plain;
  layer.forward(norma::TensorView<U>(w.data(), extents), saved);
  plain.forward(norma::TensorView<T>(w_plain.data(), extents), saved_plain);
  layer.backward(norma::TensorView<const U>(dw.data(), extents), saved);
  plain.backward(norma::TensorView<const T>(dw_rounded.data(), extents), saved_plain);
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_EQ(w[i], static_cast<U>(w_plain[i]));
  EXPECT_TRUE(same(values_of(layer.v_grad()), values_of(plain.v_grad())));
  EXPECT_TRUE(same(values_of(layer.g_grad()), values_of(plain.g_grad())));
}

// A Saved belongs to its forward; after the first step of a shape nothing is allocated, in inference never.
TYPED_TEST(WeightNormOf, AllocatesNothingFromTheSecondStepOn) {
  using T = TypeParam;
  const std::vector<T> w0 = random_values<T>(40 * 300, 61);
  std::vector<T> w(w0.size());
  for (const std::optional<norma::index_t> dim :
       {std::optional<norma::index_t>(0), std::optional<norma::index_t>(1), std::optional<norma::index_t>()}) {
    norma::WeightNorm<T> layer(norma::TensorView<const T>(w0.data(), {40, 300}), {.dim = dim});
    const norma::TensorView<T> out(w.data(), {40, 300});
    norma::Saved<T> saved;
    layer.forward(out, saved);
    layer.backward(out, saved);
    const long before = allocations_so_far();
    layer(out);
    layer.forward(out, saved);
    layer.backward(out, saved);
    EXPECT_EQ(allocations_so_far(), before);
  }
}

/// The mean and variance that leave a channel of t when w takes it from g to g_new and a bias is added.
TYPED_TEST(WeightNormOf, InitializesFromData) {
  using T = TypeParam;
  const std::ptrdiff_t channels = 5;
  for (const Extents& extents : std::vector<Extents>{{40, channels}, {8, channels, 7}, {3, channels, 4, 5}}) {
    for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::flipped_all}) {
      Where where;
      where.layout = layout;
      std::vector<T> values = random_values<T>(count(extents), 71, 3, 2);
      std::size_t i = 0;
      for_each_index(extents, [&](const Extents& index) {
        if (index[1] == 3) values[i] = T(1.5);  // a constant channel
        ++i;
      });
      Tensor<T> t(extents, where, values);
      std::vector<T> w0 = random_values<T>(channels * 6, 72), bias(channels, T(99));
      norma::WeightNorm<T> layer(norma::TensorView<const T>(w0.data(), {channels, 6}));
      const std::vector<T> g = values_of(layer.g()), v = values_of(layer.v());
      layer.initialize(t.view(), bias);
      EXPECT_TRUE(same(values_of(layer.v()), v));
      EXPECT_TRUE(same(t.values(), values)) << "t was changed";
      for (std::ptrdiff_t c = 0; c < channels; ++c) {
        const auto at = static_cast<std::size_t>(c);
        const real factor = static_cast<real>(layer.g()[at]) / g[at];
        real sum = 0, squares = 0, n = 0, largest = 0;
        i = 0;
        for_each_index(extents, [&](const Extents& index) {
          const real left = static_cast<real>(values[i++]) * factor + bias[at];
          if (index[1] != c) return;
          sum += left;
          squares += left * left;
          largest = std::max(largest, std::abs(left) + std::abs(static_cast<real>(bias[at])));
          ++n;
        });
        const real eps = std::numeric_limits<T>::epsilon();
        EXPECT_LE(std::abs(sum / n), 4 * eps * largest) << "mean of channel " << c;
        if (c == 3) {
          EXPECT_EQ(layer.g()[at], g[at]);
          EXPECT_EQ(bias[at], T(-1.5));
        } else {
          EXPECT_LE(std::abs(squares / n - 1), 8 * eps * largest * largest) << "variance of channel " << c;
        }
      }
    }
  }
}

// With ||v|| known and g = 1, initialize is the paper's: g = 1 / sigma, b = -mean / sigma.
TYPED_TEST(WeightNormOf, InitializesAsThePaper) {
  using T = TypeParam;
  const std::vector<T> w0 = random_values<T>(2 * 3, 81);
  norma::WeightNorm<T> layer(norma::TensorView<const T>(w0.data(), {2, 3}));
  std::fill(layer.g().begin(), layer.g().end(), T(1));
  const std::vector<T> t = {T(1), T(10), T(3), T(30)};  // channels (1, 3) and (10, 30): means 2 and 20, deviations 1 and 10
  std::vector<T> bias(2);
  layer.initialize(norma::TensorView<const T>(t.data(), {2, 2}), bias);
  const T eps = std::numeric_limits<T>::epsilon();
  EXPECT_NEAR(layer.g()[0], T(1), eps);
  EXPECT_NEAR(layer.g()[1], T(0.1), eps);
  EXPECT_NEAR(bias[0], T(-2), 2 * eps);
  EXPECT_NEAR(bias[1], T(-2), 2 * eps);
}

TYPED_TEST(WeightNormOf, StateHasPyTorchsNames) {
  using T = TypeParam;
  const std::vector<T> w0 = random_values<T>(2 * 3, 91);
  for (const bool legacy : {false, true}) {
    norma::WeightNorm<T> layer(norma::TensorView<const T>(w0.data(), {2, 3}), {.legacy_names = legacy});
    std::map<std::string, std::size_t> sizes;
    layer.for_each_parameter([&](std::string_view name, std::span<T> value, std::span<T> grad) {
      EXPECT_EQ(value.size(), grad.size());
      sizes[std::string(name)] = value.size();
      std::fill(grad.begin(), grad.end(), T(5));
    });
    layer.for_each_buffer([](std::string_view name, std::span<T>) { ADD_FAILURE() << name; });
    const std::map<std::string, std::size_t> wanted =
        legacy ? std::map<std::string, std::size_t>{{"weight_g", 2}, {"weight_v", 6}}
               : std::map<std::string, std::size_t>{{"parametrizations.weight.original0", 2}, {"parametrizations.weight.original1", 6}};
    EXPECT_EQ(sizes, wanted);
    EXPECT_EQ(layer.g_grad()[0], T(5));
    EXPECT_EQ(layer.v_grad()[5], T(5));
    layer.zero_grad();
    EXPECT_EQ(layer.g_grad()[1], T(0));
    EXPECT_EQ(layer.v_grad()[0], T(0));
  }
}

// An ordinary value: a copy has its own numbers.
TYPED_TEST(WeightNormOf, Copies) {
  using T = TypeParam;
  const std::vector<T> w0 = random_values<T>(2 * 3, 92);
  norma::WeightNorm<T> layer(norma::TensorView<const T>(w0.data(), {2, 3}));
  norma::WeightNorm<T> copy = layer;
  const std::vector<T> before = layer.bake();
  copy.g()[0] = T(7);
  EXPECT_TRUE(same(layer.bake(), before));
  EXPECT_FALSE(same(copy.bake(), before));
  layer = copy;
  EXPECT_TRUE(same(layer.bake(), copy.bake()));
}

void expect_error(const std::function<void()>& f, const std::vector<std::string>& words) {
  try {
    f();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const norma::ShapeError& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.rfind("WeightNorm: ", 0), 0u) << message;
    for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

TYPED_TEST(WeightNormOf, ErrorsBeforeAnythingIsWritten) {
  using T = TypeParam;
  using Layer = norma::WeightNorm<T>;
  const std::vector<T> w0 = random_values<T>(6, 93);
  const auto in = [&](const norma::Extents& e) { return norma::TensorView<const T>(w0.data(), e); };
  expect_error([&] { Layer layer(in({})); }, {"rank 0"});
  expect_error([&] { Layer layer(in({2, 3}), {.dim = 2}); }, {"axis", "2"});
  expect_error([&] { Layer layer(in({2, 3}), {.dim = -3}); }, {"axis", "-3"});
  expect_error([&] { Layer layer(norma::TensorView<const T>(nullptr, {2, 3})); }, {"null"});
  Layer layer(in({2, 3})), other(in({3, 2})), whole(in({2, 3}), {.dim = std::nullopt});
  std::vector<T> w(6, T(5));
  const auto out = [&](const norma::Extents& e) { return norma::TensorView<T>(w.data(), e); };
  norma::Saved<T> saved, of_other, of_whole, never;
  other.forward(out({3, 2}), of_other);
  whole.forward(out({2, 3}), of_whole);
  layer.forward(out({2, 3}), saved);
  std::fill(w.begin(), w.end(), T(5));
  const std::vector<T> g = values_of(layer.g());
  expect_error([&] { layer(out({3, 2})); }, {"w", "(3, 2)", "(2, 3)"});
  expect_error([&] { layer(out({6})); }, {"(6)", "(2, 3)"});
  expect_error([&] { layer(norma::TensorView<T>(nullptr, {2, 3})); }, {"w", "null"});
  expect_error([&] { layer.forward(out({1, 6}), saved); }, {"w", "(1, 6)"});
  expect_error([&] { layer.backward(out({3, 2}), saved); }, {"dw", "(3, 2)"});
  expect_error([&] { layer.backward(out({2, 3}), never); }, {"never filled"});
  expect_error([&] { layer.backward(out({2, 3}), of_other); }, {"(3, 2)"});
  expect_error([&] { layer.backward(out({2, 3}), of_whole); }, {"axes"});
  norma::Saved<T> of_layer_norm;
  norma::layer_norm(std::vector<T>(6, T(1)), std::vector<T>(6), of_layer_norm);
  expect_error([&] { layer.backward(out({2, 3}), of_layer_norm); }, {"LayerNorm"});
  std::vector<T> bias(2, T(5)), long_bias(3, T(5));
  expect_error([&] { layer.initialize(in({3, 2}), long_bias); }, {"bias", "(3)", "2"});
  expect_error([&] { layer.initialize(in({2, 3}), bias); }, {"t", "(2, 3)", "2"});
  expect_error([&] { layer.initialize(in({6}), bias); }, {"t", "(6)"});
  expect_error([&] { whole.initialize(in({3, 2}), bias); }, {"t", "1"});
  EXPECT_EQ(w, std::vector<T>(6, T(5))) << "nothing may be written";
  EXPECT_EQ(bias, std::vector<T>(2, T(5)));
  EXPECT_TRUE(same(values_of(layer.g()), g));
  for (const T gradient : values_of(layer.v_grad())) EXPECT_EQ(gradient, T(0));
  layer.backward(in({2, 3}), saved);  // still good
  EXPECT_NE(layer.g_grad()[0], T(0));
}

// Nothing to do is no error.
TYPED_TEST(WeightNormOf, EmptyWeights) {
  using T = TypeParam;
  for (const norma::Extents& extents : {norma::Extents{0, 3}, norma::Extents{3, 0}, norma::Extents{0}}) {
    const norma::TensorView<T> empty(nullptr, extents);
    norma::WeightNorm<T> layer(empty);
    norma::Saved<T> saved;
    EXPECT_NO_THROW(layer(empty));
    EXPECT_NO_THROW(layer.forward(empty, saved));
    EXPECT_NO_THROW(layer.backward(empty, saved));
    EXPECT_TRUE(layer.bake().empty());
    for (const T g : layer.g()) EXPECT_EQ(g, T(0));
  }
}

}  // namespace
}  // namespace norma_test
