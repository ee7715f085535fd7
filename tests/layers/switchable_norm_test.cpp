// SwitchableNorm: against its reference, the norms that one-hot logits make of it, and the authors' variance.
#include <string>
#include <vector>

#include "support/mixed_suite.hpp"

namespace norma_test::mixed {
namespace {

using norma::SwitchableNorm;

struct Switchable {
  template <class T>
  using Layer = SwitchableNorm<T>;
  static constexpr const char* name = "SwitchableNorm";
  static constexpr bool has_weight = true, has_limits = false, has_authors = true;
  static constexpr bool inference_allocates_nothing = false;

  template <class T>
  static Layer<T> make(norma::index_t channels, const Settings& s) {
    return Layer<T>(channels, {.eps = s.eps,
                               .momentum = s.momentum,
                               .affine = s.affine,
                               .bias = s.bias,
                               .track_running_stats = s.tracks,
                               .variance = s.authors ? norma::SwitchableVariance::authors : norma::SwitchableVariance::population});
  }
  static bool tracks(const Settings& s) { return s.tracks; }
  static std::vector<std::string> names(const Settings& s) {
    std::vector<std::string> names = {"mean_weight", "var_weight"};
    if (s.affine && s.bias) names.insert(names.begin(), "bias");
    if (s.affine) names.insert(names.begin(), "weight");
    if (s.tracks) names.insert(names.end(), {"running_mean", "running_var"});
    return names;
  }
  static MixedAnswer reference(const MixedProblem& p) { return reference::switchable_norm(p); }
  /// A plane's statistics go into those of its sample, and of its channel unless running ones stand for them.
  static bool reached(const MixedProblem& p, std::size_t from, std::size_t to) {
    const bool same_sample = p.plane_of(from) / p.channels() == p.plane_of(to) / p.channels();
    return same_sample || (!p.running && p.channel_of(from) == p.channel_of(to));
  }
};
const bool registered = register_suite<Switchable>();

// --- One-hot logits -------------------------------------------------------------------------------------------------------------------

class SwitchableNormOneHot : public testing::TestWithParam<Case> {
 protected:
  /// The exact answer of one norm alone, from the references of the plain norms.
  template <class T>
  void expect_is(std::size_t which, reference::Answer (*formula)(const reference::Problem&)) {
    const Case& c = GetParam();
    Settings settings = c.made_with();
    settings.authors = false;
    Rig<Switchable, T> rig(c.extents, c.where(), settings);
    for (std::size_t k = 0; k < 3; ++k) rig.layer.mean_logits()[k] = rig.layer.var_logits()[k] = k == which ? T(2000) : T(0);
    // The mean of means and variances is one sum more, and a coefficient one rounding.
    const MixedAnswer here = expect_plain_norm(rig, formula);
    const Precision precision = precision_of<T>();
    // No logit moves what another norm would have done.
    const std::vector<real> nothing(3, 0);
    EXPECT_TRUE(within(copy_of(rig.layer.mean_logits_grad()), nothing, bounds_of(here.dmean_logits, precision)));
    EXPECT_TRUE(within(copy_of(rig.layer.var_logits_grad()), nothing, bounds_of(here.dvar_logits, precision)));
  }
};

/// LayerNorm over channels and positions.
reference::Answer layer_norm(const reference::Problem& p) {
  reference::Problem grouped = p;
  grouped.groups = 1;
  return reference::group_norm(grouped);
}

TEST_P(SwitchableNormOneHot, IsInstanceNorm) {
  with_type(GetParam(), [&](auto zero) { expect_is<decltype(zero)>(0, reference::instance_norm); });
}
TEST_P(SwitchableNormOneHot, IsLayerNorm) {
  with_type(GetParam(), [&](auto zero) { expect_is<decltype(zero)>(1, layer_norm); });
}
TEST_P(SwitchableNormOneHot, IsBatchNorm) {
  with_type(GetParam(), [&](auto zero) { expect_is<decltype(zero)>(2, reference::batch_norm); });
}
INSTANTIATE_TEST_SUITE_P(All, SwitchableNormOneHot,
                         testing::ValuesIn(cases(few_shapes(), std::array{Layout::contiguous, Layout::channels_last})), Named());

// --- The authors' variance ------------------------------------------------------------------------------------------------------------

/// Numbers by hand: planes (1, 3) and (5, 9) of one channel; unbiased variances 2 and 8, means 2 and 7.
TEST(SwitchableNorm, AuthorsTakeTheUnbiasedInstanceVariance) {
  SwitchableNorm<double> authors(1, {.eps = 0.5, .momentum = 0.25, .variance = norma::SwitchableVariance::authors});
  SwitchableNorm<double> population(1, {.eps = 0.5, .momentum = 0.25});
  const std::vector<double> x = {1, 3, 5, 9};
  std::vector<double> y(4);
  norma::Saved<double> saved;
  EXPECT_EQ(authors.running_var()[0], 0);
  EXPECT_EQ(population.running_var()[0], 1);
  const auto forward = [&](SwitchableNorm<double>& layer) {
    layer.forward(TensorView<const double>(x.data(), {2, 1, 2}), TensorView<double>(y.data(), {2, 1, 2}), saved);
  };
  forward(authors);
  // With one channel layer and instance statistics agree. The batch's mean is 4.5, its variance (2 + 8) / 2 + 2.5^2.
  const double batch = 5 + 6.25, mean = (2 + 2 + 4.5) / 3, variance = (2 + 2 + batch) / 3;
  EXPECT_DOUBLE_EQ(y[0], (1 - mean) / std::sqrt(variance + 0.5));
  EXPECT_DOUBLE_EQ(authors.running_mean()[0], 0.25 * 4.5);
  EXPECT_DOUBLE_EQ(authors.running_var()[0], 0.25 * batch) << "as it is, not made unbiased once more";
  forward(population);
  const double of_batch = 2.5 + 6.25;
  EXPECT_DOUBLE_EQ(y[0], (1 - mean) / std::sqrt((1 + 1 + of_batch) / 3 + 0.5));
  EXPECT_DOUBLE_EQ(population.running_var()[0], 0.75 + 0.25 * of_batch * 4 / 3);
}

TEST(SwitchableNorm, LogitsBeginAtOneAndAreThree) {
  SwitchableNorm<float> layer(7);
  EXPECT_EQ(copy_of(layer.mean_logits()), std::vector<float>(3, 1));
  EXPECT_EQ(copy_of(layer.var_logits()), std::vector<float>(3, 1));
  EXPECT_EQ(layer.eps(), 1e-5);
  layer.mean_logits_grad()[1] = 4;
  layer.var_logits_grad()[2] = 5;
  const SwitchableNorm<float>& constant = layer;
  EXPECT_EQ(copy_of(constant.mean_logits_grad()), (std::vector<float>{0, 4, 0}));
  EXPECT_EQ(copy_of(constant.var_logits_grad()), (std::vector<float>{0, 0, 5}));
  layer.zero_grad();
  EXPECT_EQ(copy_of(constant.mean_logits_grad()), std::vector<float>(3));
  EXPECT_EQ(copy_of(constant.var_logits_grad()), std::vector<float>(3));
}

/// A softmax knows no common summand, and none so large that exp would not hold it.
TEST(SwitchableNorm, LogitsMayShiftTogether) {
  const std::vector<float> x = random_values<float>(48, 3);
  std::vector<float> y(48), shifted(48);
  SwitchableNorm<float> layer(4);
  const auto run = [&](float by, std::vector<float>& to) {
    for (std::size_t k = 0; k < 3; ++k) layer.mean_logits()[k] = layer.var_logits()[k] = by + static_cast<float>(k);
    layer(TensorView<const float>(x.data(), {2, 4, 6}), TensorView<float>(to.data(), {2, 4, 6}));
  };
  run(0, y);
  for (const float by : {-1000.0f, 64.0f, 1000.0f}) {
    run(by, shifted);
    EXPECT_EQ(shifted, y) << by;
  }
}

}  // namespace
}  // namespace norma_test::mixed
