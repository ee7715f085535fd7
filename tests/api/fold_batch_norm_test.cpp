// fold_batch_norm: the layer before BatchNorm, linear or convolution, gives the folded result alone.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::BatchNorm;

template <class T>
BatchNorm<T> trained(norma::index_t channels, const norma::BatchNormOptions& options = {.eps = 1e-3}) {
  BatchNorm<T> bn(channels, options);
  const Types types = std::is_same_v<T, float> ? all_f32 : all_f64;
  set_state(bn, random_data(subject_named("BatchNorm"), types, shape({2, channels}), 201));
  return bn;
}

/// scale and shift of a channel, as BatchNorm's formula says.
template <class T>
std::pair<real, real> affine_of(const BatchNorm<T>& bn, std::size_t c) {
  const real scale = (bn.weight().empty() ? 1 : bn.weight()[c]) / std::sqrt(static_cast<real>(bn.running_var()[c]) + bn.eps());
  return {scale, (bn.bias().empty() ? 0 : bn.bias()[c]) - bn.running_mean()[c] * scale};
}

/// Weights whose axis `dim` are the channels.
std::vector<Case> fold_cases() {
  const Settings weights = {weight_shape({5, 7}, 0),       weight_shape({64, 33}, 0),    // linear
                            weight_shape({6, 4, 3, 3}, 0), weight_shape({6, 1, 5}, 0),   // convolutions, the second depthwise
                            weight_shape({4, 6, 3, 3}, 1), weight_shape({4, 6, 2}, -2),  // transposed
                            weight_shape({3, 4, 5}, -1),   weight_shape({9}, 0)};
  return cases_of(subject_named("WeightNorm"), weights,
                  std::array{Layout::contiguous, Layout::channels_last, Layout::reversed, Layout::sliced, Layout::flipped});
}

class FoldBatchNorm : public testing::TestWithParam<Case> {};

template <class T>
void check_fold(const Case& c, const norma::BatchNormOptions& options) {
  const Extents& extents = c.setting.extents;
  const std::ptrdiff_t rank = static_cast<std::ptrdiff_t>(extents.size()), dim = *c.setting.dim;
  const auto axis = static_cast<std::size_t>(dim < 0 ? dim + rank : dim);
  const std::ptrdiff_t channels = extents[axis];
  const BatchNorm<T> bn = trained<T>(channels, options);
  const std::vector<T> w = random_values<T>(count(extents), 205), b = random_values<T>(static_cast<std::size_t>(channels), 206, 1);
  Tensor<T> weight(extents, lying(c.layout), w), bias({channels}, lying(c.layout), b);
  norma::fold_batch_norm(weight.view(), bias.view(), bn, {.axis = dim});

  // Each product has a rounding of rstd, of the scale and of its own; a bias those of a difference and a sum more.
  reference::Numbers folded_weight, folded_bias;
  std::size_t i = 0;
  for_each_index(extents, [&](const Extents& index) {
    const real folded = w[i++] * affine_of(bn, static_cast<std::size_t>(index[axis])).first;
    folded_weight.emplace_back(folded, std::abs(folded));
  });
  for (std::size_t k = 0; k < b.size(); ++k) {
    const auto [scale, shift] = affine_of(bn, k);
    const real folded = b[k] * scale + shift, mean = bn.running_mean()[k], offset = bn.bias().empty() ? 0 : bn.bias()[k];
    const real sizes = std::abs(scale) * (std::abs(b[k]) + std::abs(mean)) + std::abs(offset);
    folded_bias.emplace_back(folded, 2 * sizes - std::abs(folded));
  }
  EXPECT_TRUE(within(weight.values(), folded_weight, precision_of(element_of<T>))) << "weight";
  EXPECT_TRUE(within(bias.values(), folded_bias, precision_of(element_of<T>))) << "bias";
  EXPECT_TRUE(weight.surroundings_untouched() && bias.surroundings_untouched());
}

TEST_P(FoldBatchNorm, MultipliesEveryOutputChannel) {
  for (const norma::BatchNormOptions& options : {norma::BatchNormOptions{.eps = 1e-3}, norma::BatchNormOptions{.bias = false},
                                                 norma::BatchNormOptions{.eps = 0.5, .affine = false}}) {
    with_parameter(GetParam().types.x, [&](auto zero) { check_fold<decltype(zero)>(GetParam(), options); });
  }
}
INSTANTIATE_TEST_SUITE_P(All, FoldBatchNorm, testing::ValuesIn(fold_cases()), CaseName());

/// A transposed convolution of one position at a time: x (in, positions), weight (in, out / groups, taps), y (out, positions + taps - 1).
std::vector<double> transposed_convolution(const std::vector<double>& x, const std::vector<double>& weight, const std::vector<double>& bias,
                                           std::size_t in, std::size_t out, std::size_t groups, std::size_t taps) {
  const std::size_t positions = x.size() / in, length = positions + taps - 1, outputs = out / groups;
  std::vector<double> y(out * length);
  for (std::size_t o = 0; o < out; ++o) std::fill_n(y.begin() + static_cast<std::ptrdiff_t>(o * length), length, bias[o]);
  for (std::size_t i = 0; i < in; ++i) {
    const std::size_t first = i / (in / groups) * outputs;  // the first output channel of its group
    for (std::size_t j = 0; j < outputs; ++j) {
      for (std::size_t t = 0; t < positions; ++t) {
        for (std::size_t k = 0; k < taps; ++k) {
          y[(first + j) * length + t + k] += x[i * positions + t] * weight[(i * outputs + j) * taps + k];
        }
      }
    }
  }
  return y;
}

TEST(FoldBatchNorm, GroupsOfATransposedConvolution) {
  for (const auto& [in, out, groups] : {std::array<std::size_t, 3>{6, 6, 3}, {6, 6, 2}, {4, 8, 2}, {8, 4, 4}, {6, 6, 6}, {3, 5, 1}}) {
    for (const norma::BatchNormOptions& options : {norma::BatchNormOptions{}, norma::BatchNormOptions{.affine = false}}) {
      const std::size_t taps = 3;
      const BatchNorm<double> bn = trained<double>(static_cast<norma::index_t>(out), options);
      const std::vector<double> x = random_values<double>(in * 5, 241), weight = random_values<double>(in * out / groups * taps, 242),
                                bias = random_values<double>(out, 243);
      std::vector<double> w = weight, b = bias, y = transposed_convolution(x, weight, bias, in, out, groups, taps);
      const auto of_all = shaped(y, {1, out, y.size() / out});
      bn(of_all, of_all);
      norma::fold_batch_norm(shaped(w, {in, out / groups, taps}), b, bn, {.axis = 1, .groups = groups});
      const std::vector<double> folded = transposed_convolution(x, w, b, in, out, groups, taps);
      for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(folded[i], y[i], 1e-12) << in << " to " << out << " in " << groups;
    }
  }
}

TEST(FoldBatchNorm, GroupsOfOtherConvolutionsChangeNothing) {
  const BatchNorm<float> bn = trained<float>(6);
  const std::vector<float> weight = random_values<float>(6 * 2 * 9, 244), bias = random_values<float>(6, 245);
  std::vector<float> w = weight, b = bias, w_of_groups = weight, b_of_groups = bias;
  norma::fold_batch_norm(shaped(w, {6, 2, 3, 3}), b, bn);
  norma::fold_batch_norm(shaped(w_of_groups, {6, 2, 3, 3}), b_of_groups, bn, {.groups = 3});
  EXPECT_EQ(w_of_groups, w);
  EXPECT_EQ(b_of_groups, b);
}

TEST(FoldBatchNorm, GroupsThatDoNotFit) {
  const BatchNorm<float> bn = trained<float>(6);
  const std::vector<float> weight = random_values<float>(120, 246), bias = random_values<float>(6, 247);
  std::vector<float> w = weight, b = bias;
  const auto refuses = [&](const norma::Extents& extents, const norma::FoldBatchNormOptions& options,
                           const std::vector<std::string>& words) {
    expect_shape_error("fold_batch_norm", words, [&] { norma::fold_batch_norm(shaped(w, extents), b, bn, options); });
    EXPECT_TRUE(w == weight && b == bias);
  };
  refuses({6, 6, 3}, {.axis = 1, .groups = 2}, {"(6, 6, 3) with 6 output channels along axis 1", "3 in each group"});
  refuses({6, 3, 3}, {.axis = 1}, {"3 output channels along axis 1", "has 6"});
  refuses({5, 3, 3}, {.axis = 1, .groups = 2}, {"5 input channels along axis 0", "2 groups"});
  refuses({6, 2, 3}, {.axis = 1, .groups = 4}, {"6 output channels do not split into 4 groups"});
  refuses({6, 2, 3}, {.axis = 0, .groups = 0}, {"6 output channels do not split into 0 groups"});
  refuses({6, 2, 3}, {.axis = -2, .groups = -3}, {"-3 groups"});
}

TEST(FoldBatchNorm, AMeanOnlyNormMovesTheBiasAlone) {
  norma::MeanOnlyBatchNorm<double> norm(4);
  set_state(norm, random_data(subject_named("MeanOnlyBatchNorm"), all_f64, shape({2, 4}), 231));
  const std::vector<double> weight = random_values<double>(4 * 7, 234), bias = random_values<double>(4, 235);
  std::vector<double> w = weight, b = bias;
  norma::fold_batch_norm(shaped(w, {4, 7}), b, norm);
  EXPECT_EQ(w, weight);
  for (std::size_t k = 0; k < b.size(); ++k)
    EXPECT_NEAR(b[k], bias[k] - norm.running_mean()[k] + norm.bias()[k], 8 * 0x1p-52 * (1 + std::abs(bias[k])));
}

/// A norm of a user's own.
struct Own {
  std::vector<float> mean, variance, scale, offset;
  const std::vector<float>& running_mean() const { return mean; }
  const std::vector<float>& running_var() const { return variance; }
  const std::vector<float>& weight() const { return scale; }
  const std::vector<float>& bias() const { return offset; }
  double eps() const { return 1e-5; }
};
TEST(FoldBatchNorm, ANormOfYoursThatDoesNotFitChangesNothing) {
  const std::vector<float> weight = random_values<float>(2 * 3, 248), bias = random_values<float>(2, 249);
  std::vector<float> w = weight, b = bias;
  const std::vector<float> two(2, 1), three(3, 1), one(1, 1);
  for (const Own& bn : {Own{two, one, two, two}, Own{two, two, three, two}, Own{two, two, two, three}}) {
    expect_shape_error("fold_batch_norm", {}, [&] { norma::fold_batch_norm(shaped(w, {2, 3}), b, bn); });
    EXPECT_TRUE(w == weight && b == bias);
  }
}

}  // namespace
}  // namespace norma_test
