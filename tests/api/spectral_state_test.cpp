// SpectralNorm's state: to which forward a backward belongs, seeds, matrices of zeros, what it bakes, a NaN, errors.
#include <algorithm>
#include <cmath>
#include <limits>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::SpectralNorm;

// Two forwards, then their two backwards: each has the u, v and sigma of its own forward, whatever ran since.
TEST(SpectralNorm, BackwardBelongsToItsForward) {
  const std::vector<float> weight = random_values<float>(9 * 14, 151), dw = random_values<float>(9 * 14, 152);
  std::vector<float> w(weight.size());
  SpectralNorm<float> layer(shaped(weight, {9, 14}), {.seed = 3});
  Random random(7);
  for (float& e : layer.u()) e = static_cast<float>(random.normal() / 3);  // far from arrived: u and v move
  norma::Saved<float> first, second;
  layer.forward(shaped(w, {9, 14}), first);
  SpectralNorm<float> as_it_was = layer;
  layer.forward(shaped(w, {9, 14}), second);
  SpectralNorm<float> as_it_is = layer;
  as_it_was.backward_frozen(shaped(dw, {9, 14}));
  as_it_is.backward_frozen(shaped(dw, {9, 14}));
  layer.backward(shaped(dw, {9, 14}), first);
  EXPECT_TRUE(same(layer.weight_grad(), as_it_was.weight_grad()));
  layer.zero_grad();
  layer.backward(shaped(dw, {9, 14}), second);
  EXPECT_TRUE(same(layer.weight_grad(), as_it_is.weight_grad()));
  EXPECT_FALSE(same(as_it_was.weight_grad(), as_it_is.weight_grad())) << "u and v of the two forwards are the same: nothing was tested";
}

// Weight and seed decide the bits; at construction there are 15 iterations, whatever n_power_iterations.
TEST(SpectralNorm, EqualSeedsGiveEqualBits) {
  const std::vector<float> weight = random_values<float>(20 * 30, 171), zero(20 * 30);
  const auto u_of = [&](const std::vector<float>& w, const norma::SpectralNormOptions& options) {
    return copy_of(SpectralNorm<float>(shaped(w, {20, 30}), options).u());
  };
  EXPECT_EQ(u_of(weight, {}), u_of(weight, {.n_power_iterations = 3, .seed = 0}));
  EXPECT_EQ(u_of(zero, {.seed = 9}), u_of(zero, {.seed = 9}));
  EXPECT_NE(u_of(zero, {.seed = 9}), u_of(zero, {.seed = 10}));
}

// A zero matrix is legal: w = 0, sigma = 0, gradients finite; u and v stay unit vectors and work when the weight comes to life.
TEST(SpectralNorm, ZeroMatrix) {
  for (const norma::Extents& extents : {norma::Extents{4, 6}, norma::Extents{1, 5}, norma::Extents{5, 1}, norma::Extents{3}}) {
    const auto size = static_cast<std::size_t>(extents.product());
    const std::vector<float> zero(size), dw = random_values<float>(size, 181);
    std::vector<float> w(size, 7);
    SpectralNorm<float> layer(shaped(zero, extents));
    const std::vector<float> u = copy_of(layer.u()), v = copy_of(layer.v());
    norma::Saved<float> saved;
    layer.forward(shaped(w, extents), saved);
    EXPECT_EQ(w, zero);
    EXPECT_EQ(layer.sigma(), 0);
    EXPECT_TRUE(same(layer.u(), u) && same(layer.v(), v));
    layer.backward(shaped(dw, extents), saved);
    layer.backward_frozen(shaped(dw, extents));
    for (const float g : layer.weight_grad()) EXPECT_TRUE(std::isfinite(g));
    std::copy(dw.begin(), dw.end(), layer.weight().begin());
    layer.forward(shaped(w, extents), saved);
    EXPECT_GT(layer.sigma(), 0);
  }
}

// bake() is w and sigma() what the weight was divided by, also of a weight that grows while u and v stay.
TEST(SpectralNorm, BakesWhatItGives) {
  const std::vector<float> weight = random_values<float>(12 * 17, 191);
  SpectralNorm<float> layer(shaped(weight, {12, 17}));
  const double sigma = layer.sigma();
  std::vector<float> w(weight.size());
  layer(shaped(w, {12, 17}));
  EXPECT_EQ(layer.bake(), w);
  for (std::size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(w[i] * sigma, weight[i], 2 * 0x1p-23 * std::abs(weight[i]));
  for (float& e : layer.weight()) e *= 8;
  EXPECT_EQ(layer.sigma(), 8 * sigma);
  EXPECT_EQ(layer.bake(), w);
}

// A NaN shows in w, but u and v recover once the weight has.
TEST(SpectralNorm, NaNDoesNotStay) {
  const std::vector<float> weight = random_values<float>(5 * 6, 195);
  std::vector<float> w(weight.size());
  SpectralNorm<float> layer(shaped(weight, {5, 6}));
  norma::Saved<float> saved;
  for (const float seventh : {std::numeric_limits<float>::quiet_NaN(), weight[7]}) {
    layer.weight()[7] = seventh;
    layer.forward(shaped(w, {5, 6}), saved);
    for (const float e : w) EXPECT_EQ(std::isnan(e), std::isnan(seventh));
  }
}

TEST(SpectralNorm, Errors) {
  const std::vector<float> ones(6, 1);
  const auto refuses = [&](const std::vector<std::string>& words, const norma::Extents& extents,
                           const norma::SpectralNormOptions& options) {
    expect_shape_error("SpectralNorm", words, [&] { SpectralNorm<float> layer(shaped(ones, extents), options); });
  };
  refuses({"rank 0"}, {}, {});
  refuses({"axis", "2"}, {2, 3}, {.dim = 2});
  refuses({"axis", "-3"}, {2, 3}, {.dim = -3});
  refuses({"n_power_iterations", "0"}, {2, 3}, {.n_power_iterations = 0});
  SpectralNorm<float> layer(shaped(ones, {2, 3})), across(shaped(ones, {2, 3}), {.dim = 1});
  std::vector<float> w(6);
  norma::Saved<float> saved;
  across.forward(shaped(w, {2, 3}), saved);
  const Values before = state_of(layer);
  expect_shape_error("SpectralNorm", {"axes"}, [&] { layer.backward(shaped(ones, {2, 3}), saved); });
  EXPECT_EQ(state_of(layer), before);
}

}  // namespace
}  // namespace norma_test
