// BatchInstanceNorm: against its reference, its gate, and the norms at both ends of it.
#include <string>
#include <vector>

#include "support/mixed_suite.hpp"

namespace norma_test::mixed {
namespace {

using norma::BatchInstanceNorm;

struct BatchInstance {
  template <class T>
  using Layer = BatchInstanceNorm<T>;
  static constexpr const char* name = "BatchInstanceNorm";
  static constexpr bool has_weight = true, has_limits = false, has_authors = false;
  static constexpr bool inference_allocates_nothing = false;

  template <class T>
  static Layer<T> make(norma::index_t channels, const Settings& s) {
    return Layer<T>(channels, {.eps = s.eps, .momentum = s.momentum, .affine = s.affine, .bias = s.bias, .track_running_stats = s.tracks});
  }
  static bool tracks(const Settings& s) { return s.tracks; }
  static std::vector<std::string> names(const Settings& s) {
    std::vector<std::string> names = {"gate"};
    if (s.affine && s.bias) names.insert(names.begin(), "bias");
    if (s.affine) names.insert(names.begin(), "weight");
    if (s.tracks) names.insert(names.end(), {"running_mean", "running_var"});
    return names;
  }
  static MixedAnswer reference(const MixedProblem& p) { return reference::batch_instance_norm(p); }
  static bool reached(const MixedProblem& p, std::size_t from, std::size_t to) {
    return p.running ? p.plane_of(from) == p.plane_of(to) : p.channel_of(from) == p.channel_of(to);
  }
};
const bool registered = register_suite<BatchInstance>();

class BatchInstanceNormGate : public testing::TestWithParam<Case> {
 protected:
  template <class T>
  void expect_is(T gate, reference::Answer (*formula)(const reference::Problem&)) {
    const Case& c = GetParam();
    Rig<BatchInstance, T> rig(c.extents, c.where(), c.made_with());
    std::ranges::fill(rig.layer.gate(), gate);
    expect_plain_norm(rig, formula);
  }
};

TEST_P(BatchInstanceNormGate, OpenIsBatchNorm) {
  with_type(GetParam(), [&](auto zero) { expect_is(decltype(zero)(1), reference::batch_norm); });
}
TEST_P(BatchInstanceNormGate, ShutIsInstanceNorm) {
  with_type(GetParam(), [&](auto zero) { expect_is(decltype(zero)(0), reference::instance_norm); });
}
INSTANTIATE_TEST_SUITE_P(All, BatchInstanceNormGate,
                         testing::ValuesIn(cases(few_shapes(), std::array{Layout::contiguous, Layout::channels_last})), Named());

TEST(BatchInstanceNorm, TheGateIsClampedByTheUserAlone) {
  BatchInstanceNorm<float> layer(5, {.affine = false});
  EXPECT_EQ(copy_of(layer.gate()), std::vector<float>(5, 1));
  EXPECT_TRUE(layer.weight().empty() && layer.bias().empty());
  EXPECT_EQ(layer.eps(), 1e-5);
  const std::vector<float> values = {-0.5f, 0, 0.25f, 1, 1.5f};
  set(layer.gate(), values);
  std::vector<float> x = random_values<float>(30, 2), y(30);
  norma::Saved<float> saved;
  layer.forward(TensorView<float>(x.data(), {2, 5, 3}), TensorView<float>(y.data(), {2, 5, 3}), saved);
  EXPECT_EQ(copy_of(layer.gate()), values) << "the forward does not clip";
  layer.clamp_gate();
  EXPECT_EQ(copy_of(layer.gate()), (std::vector<float>{0, 0, 0.25f, 1, 1}));
  layer.gate_grad()[2] = 3;
  const BatchInstanceNorm<float>& constant = layer;
  EXPECT_EQ(copy_of(constant.gate_grad()), (std::vector<float>{0, 0, 3, 0, 0}));
  layer.zero_grad();
  EXPECT_EQ(copy_of(constant.gate_grad()), std::vector<float>(5));
}

/// Planes of one element leave the instance half nothing: y is gate times BatchNorm's x_hat.
TEST(BatchInstanceNorm, RowsHaveNoInstanceHalf) {
  BatchInstanceNorm<double> layer(1, {.eps = 0});
  layer.gate()[0] = 0.25;
  const std::vector<double> x = {1, 5};
  std::vector<double> y(2);
  norma::Saved<double> saved;
  layer.forward(TensorView<const double>(x.data(), {2, 1}), TensorView<double>(y.data(), {2, 1}), saved);
  EXPECT_EQ(y, (std::vector<double>{-0.25, 0.25}));
}

}  // namespace
}  // namespace norma_test::mixed
