// fold_batch_norm: the layer before BatchNorm, linear or convolution, gives the folded result alone.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/channel_layer.hpp"
#include "support/errors.hpp"

namespace norma_test {
namespace {

using norma::BatchNorm;
using norma::TensorView;

template <class T>
BatchNorm<T> trained(norma::index_t channels, const norma::BatchNormOptions& options = {.eps = 1e-3}) {
  BatchNorm<T> bn(channels, options);
  const auto n = static_cast<std::size_t>(channels);
  const auto fill = [](std::span<T> to, const std::vector<T>& from) {
    std::copy(from.begin(), from.begin() + std::ptrdiff_t(to.size()), to.begin());
  };
  fill(bn.weight(), random_parameters<T>(n, 201));
  fill(bn.bias(), random_parameters<T>(n, 202));
  fill(bn.running_mean(), random_values<T>(n, 203));
  fill(bn.running_var(), random_values<T>(n, 204, 2, 0.5));
  return bn;
}

/// scale and shift of a channel, as BatchNorm's formula says.
template <class T>
std::pair<real, real> affine_of(const BatchNorm<T>& bn, std::size_t c) {
  const real scale = (bn.weight().empty() ? 1 : bn.weight()[c]) / std::sqrt(static_cast<real>(bn.running_var()[c]) + bn.eps());
  return {scale, (bn.bias().empty() ? 0 : bn.bias()[c]) - bn.running_mean()[c] * scale};
}

struct FoldCase {
  Extents weight;
  std::ptrdiff_t axis;
  Layout layout;
};

std::vector<FoldCase> fold_cases() {
  std::vector<FoldCase> cases;
  for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced, Layout::flipped}) {
    cases.push_back({{5, 7}, 0, layout});        // linear
    cases.push_back({{64, 33}, 0, layout});      // linear
    cases.push_back({{6, 4, 3, 3}, 0, layout});  // convolution
    cases.push_back({{6, 1, 5}, 0, layout});     // depthwise convolution
    cases.push_back({{4, 6, 3, 3}, 1, layout});  // transposed convolution
    cases.push_back({{4, 6, 2}, -2, layout});
    cases.push_back({{3, 4, 5}, -1, layout});
    cases.push_back({{9}, 0, layout});
  }
  return cases;
}
std::string name_of(const FoldCase& c) {
  return to_string(c.weight) + "_axis_" + (c.axis < 0 ? "m" : "") + std::to_string(std::abs(c.axis)) + "_" + norma_test::name_of(c.layout);
}
void PrintTo(const FoldCase& c, std::ostream* out) { *out << name_of(c); }

class FoldBatchNorm : public testing::TestWithParam<FoldCase> {};

template <class T>
void check_fold(const FoldCase& c, const norma::BatchNormOptions& options) {
  const std::size_t axis = static_cast<std::size_t>(c.axis < 0 ? c.axis + std::ptrdiff_t(c.weight.size()) : c.axis);
  const std::ptrdiff_t channels = c.weight[axis];
  const BatchNorm<T> bn = trained<T>(channels, options);
  const std::vector<T> w = random_values<T>(count(c.weight), 205), b = random_values<T>(static_cast<std::size_t>(channels), 206, 1);
  Where where;
  where.layout = c.layout;
  Tensor<T> weight(c.weight, where, w), bias({channels}, where, b);
  norma::fold_batch_norm(weight.view(), bias.view(), bn, {.axis = c.axis});

  // Each product has a rounding of rstd, of the scale and of its own; a bias those of a difference and a sum more.
  const real eps = static_cast<real>(std::numeric_limits<T>::epsilon());
  std::vector<real> folded_weight, weight_bound, folded_bias, bias_bound;
  std::size_t i = 0;
  for_each_index(c.weight, [&](const Extents& index) {
    const auto [scale, shift] = affine_of(bn, static_cast<std::size_t>(index[axis]));
    folded_weight.push_back(w[i++] * scale);
    weight_bound.push_back(2 * eps * std::abs(folded_weight.back()));
  });
  for (std::size_t k = 0; k < b.size(); ++k) {
    const auto [scale, shift] = affine_of(bn, k);
    const real mean = bn.running_mean()[k], offset = bn.bias().empty() ? 0 : bn.bias()[k];
    folded_bias.push_back(b[k] * scale + shift);
    bias_bound.push_back(2 * eps * (std::abs(scale) * (std::abs(b[k]) + std::abs(mean)) + std::abs(offset)));
  }
  EXPECT_TRUE(within(weight.values(), folded_weight, weight_bound)) << "weight";
  EXPECT_TRUE(within(bias.values(), folded_bias, bias_bound)) << "bias";
  EXPECT_TRUE(weight.surroundings_untouched() && bias.surroundings_untouched());
}

TEST_P(FoldBatchNorm, MultipliesEveryOutputChannel) {
  for (const norma::BatchNormOptions& options : {norma::BatchNormOptions{.eps = 1e-3}, norma::BatchNormOptions{.bias = false},
                                                 norma::BatchNormOptions{.eps = 0.5, .affine = false}}) {
    check_fold<float>(GetParam(), options);
    check_fold<double>(GetParam(), options);
  }
}
INSTANTIATE_TEST_SUITE_P(All, FoldBatchNorm, testing::ValuesIn(fold_cases()), [](const auto& each) { return name_of(each.param); });

/// y (N, out) = x (N, in) times the rows of w, plus b.
std::vector<double> linear(const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& b) {
  const std::size_t out = b.size(), in = w.size() / out;
  std::vector<double> y;
  for (std::size_t n = 0; n < x.size() / in; ++n) {
    for (std::size_t o = 0; o < out; ++o) {
      double sum = b[o];
      for (std::size_t i = 0; i < in; ++i) sum += w[o * in + i] * x[n * in + i];
      y.push_back(sum);
    }
  }
  return y;
}

/// y (N, out, L - K + 1) of x (N, in, L) with w (out, in, K), or (in, out, K) where `transposed` says so (as a correlation all the same).
std::vector<double> convolution(const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& b, std::size_t in,
                                std::size_t length, std::size_t kernel, bool transposed) {
  const std::size_t out = b.size(), positions = length - kernel + 1;
  std::vector<double> y;
  for (std::size_t n = 0; n < x.size() / (in * length); ++n) {
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t p = 0; p < positions; ++p) {
        double sum = b[o];
        for (std::size_t i = 0; i < in; ++i) {
          for (std::size_t k = 0; k < kernel; ++k) {
            sum += w[(transposed ? i * out + o : o * in + i) * kernel + k] * x[(n * in + i) * length + p + k];
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

/// Both results, with the roundings of some dozens of products of ordinary size.
void expect_near(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 64 * std::numeric_limits<double>::epsilon() * (1 + std::abs(a[i])));
}

TEST(FoldBatchNorm, TheLinearLayerAloneGivesWhatBothGave) {
  const BatchNorm<double> bn = trained<double>(5);
  const std::vector<double> x = random_values<double>(21, 211);
  std::vector<double> w = random_values<double>(35, 212), b = random_values<double>(5, 213), both(15);
  const std::vector<double> before = linear(x, w, b);
  bn(TensorView<const double>(before.data(), {3, 5}), TensorView<double>(both.data(), {3, 5}));
  norma::fold_batch_norm(TensorView<double>(w.data(), {5, 7}), b, bn);
  expect_near(linear(x, w, b), both);
}

TEST(FoldBatchNorm, TheConvolutionAloneGivesWhatBothGave) {
  for (const bool transposed : {false, true}) {
    const BatchNorm<double> bn = trained<double>(4);
    const std::vector<double> x = random_values<double>(2 * 3 * 9, 221);
    std::vector<double> w = random_values<double>(4 * 3 * 2, 222), b = random_values<double>(4, 223), both(2 * 4 * 8);
    const std::vector<double> before = convolution(x, w, b, 3, 9, 2, transposed);
    bn(TensorView<const double>(before.data(), {2, 4, 8}), TensorView<double>(both.data(), {2, 4, 8}));
    const norma::Extents extents = transposed ? norma::Extents{3, 4, 2} : norma::Extents{4, 3, 2};
    norma::fold_batch_norm(TensorView<double>(w.data(), extents), b, bn, {.axis = transposed ? 1 : 0});
    expect_near(convolution(x, w, b, 3, 9, 2, transposed), both);
  }
}

TEST(FoldBatchNorm, AMeanOnlyNormMovesTheBias) {
  norma::MeanOnlyBatchNorm<double> mbn(5);
  const auto fill = [](std::span<double> to, const std::vector<double>& from) { std::copy(from.begin(), from.end(), to.begin()); };
  fill(mbn.running_mean(), random_values<double>(5, 231));
  fill(mbn.bias(), random_values<double>(5, 232));
  const std::vector<double> x = random_values<double>(21, 233);
  std::vector<double> w = random_values<double>(35, 234), b = random_values<double>(5, 235), both(15);
  const std::vector<double> before = linear(x, w, b), weight_before = w;
  mbn(TensorView<const double>(before.data(), {3, 5}), TensorView<double>(both.data(), {3, 5}));
  norma::fold_batch_norm(TensorView<double>(w.data(), {5, 7}), b, mbn);
  EXPECT_EQ(w, weight_before);
  expect_near(linear(x, w, b), both);
}

TEST(FoldBatchNorm, RejectsWhatDoesNotFitBeforeAnythingIsWritten) {
  const BatchNorm<float> bn = trained<float>(4), untracked(4, {.track_running_stats = false});
  std::vector<float> w(24, 5), b(4, 6), three(3, 7);
  const TensorView<float> wv(w.data(), {4, 6}), across(w.data(), {6, 4});
  expect_shape_error("fold_batch_norm", {"running statistics"}, [&] { norma::fold_batch_norm(wv, b, untracked); });
  expect_shape_error("fold_batch_norm", {"(6, 4)", "axis 0", "6", "has 4"}, [&] { norma::fold_batch_norm(across, b, bn); });
  expect_shape_error("fold_batch_norm", {"(4, 6)", "axis 1", "has 4"}, [&] { norma::fold_batch_norm(wv, b, bn, {.axis = 1}); });
  expect_shape_error("fold_batch_norm", {"axis 2"}, [&] { norma::fold_batch_norm(wv, b, bn, {.axis = 2}); });
  expect_shape_error("fold_batch_norm", {"axis -3"}, [&] { norma::fold_batch_norm(wv, b, bn, {.axis = -3}); });
  expect_shape_error("fold_batch_norm", {"bias", "(3)", "(4)"}, [&] { norma::fold_batch_norm(wv, three, bn); });
  expect_shape_error("fold_batch_norm", {"bias", "(4, 1)"}, [&] { norma::fold_batch_norm(wv, TensorView<float>(b.data(), {4, 1}), bn); });
  expect_shape_error("fold_batch_norm", {"weight", "null"}, [&] { norma::fold_batch_norm(TensorView<float>(nullptr, {4, 6}), b, bn); });
  EXPECT_EQ(w, std::vector<float>(24, 5));
  EXPECT_EQ(b, std::vector<float>(4, 6));
  EXPECT_EQ(three, std::vector<float>(3, 7));
}

TEST(FoldBatchNorm, LeavesTheBatchNormAsItIs) {
  const BatchNorm<float> bn = trained<float>(4);
  const std::vector<float> mean = copy_of(bn.running_mean()), weight = copy_of(bn.weight());
  std::vector<float> w(24, 5), b(4, 6);
  norma::fold_batch_norm(TensorView<float>(w.data(), {4, 6}), b, bn, {.axis = 0});
  EXPECT_EQ(copy_of(bn.running_mean()), mean);
  EXPECT_EQ(copy_of(bn.weight()), weight);
}

}  // namespace
}  // namespace norma_test
