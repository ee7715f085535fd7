// fold_batch_norm: the layer before BatchNorm, linear or convolution, gives the folded result alone.
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

}  // namespace
}  // namespace norma_test
