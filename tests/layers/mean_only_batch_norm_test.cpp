// MeanOnlyBatchNorm: against its reference, and what it does not have.
#include <string>
#include <vector>

#include "support/mixed_suite.hpp"

namespace norma_test::mixed {
namespace {

using norma::MeanOnlyBatchNorm;

struct MeanOnly {
  template <class T>
  using Layer = MeanOnlyBatchNorm<T>;
  static constexpr const char* name = "MeanOnlyBatchNorm";
  static constexpr bool has_weight = false, has_limits = false, has_authors = false;
  static constexpr bool inference_allocates_nothing = true;

  template <class T>
  static Layer<T> make(norma::index_t channels, const Settings& s) {
    return Layer<T>(channels, {.momentum = s.momentum, .bias = s.bias, .track_running_stats = s.tracks});
  }
  static bool tracks(const Settings& s) { return s.tracks; }
  static std::vector<std::string> names(const Settings& s) {
    std::vector<std::string> names;
    if (s.bias) names.emplace_back("bias");
    if (s.tracks) names.emplace_back("running_mean");
    return names;
  }
  static MixedAnswer reference(const MixedProblem& p) { return reference::mean_only_batch_norm(p); }
  static bool reached(const MixedProblem& p, std::size_t from, std::size_t to) {
    return p.running ? from == to : p.channel_of(from) == p.channel_of(to);
  }
};
const bool registered = register_suite<MeanOnly>();

TEST(MeanOnlyBatchNorm, HasNoWeightAndNoVariance) {
  MeanOnlyBatchNorm<float> layer(3);
  EXPECT_TRUE(layer.weight().empty() && layer.weight_grad().empty() && layer.running_var().empty());
  EXPECT_EQ(layer.bias().size(), 3u);
  EXPECT_EQ(layer.running_mean().size(), 3u);
  MeanOnlyBatchNorm<float> bare(3, {.momentum = std::nullopt, .bias = false, .track_running_stats = false});
  EXPECT_TRUE(bare.bias().empty() && bare.running_mean().empty());
}

/// Exact numbers, out of reach of squares: no variance is ever looked at.
TEST(MeanOnlyBatchNorm, SubtractsTheMeanWhateverTheScale) {
  for (const float scale : {1.0f, 0x1p100f, 0x1p-100f}) {
    MeanOnlyBatchNorm<float> layer(2, {.momentum = 0.5});
    layer.bias()[1] = 8 * scale;
    const std::vector<float> x = {1 * scale, 2 * scale, 3 * scale, 6 * scale};
    const std::vector<float> dy = {1, 2, 3, 6};
    std::vector<float> y(4), dx(4);
    norma::Saved<float> saved;
    layer.forward(TensorView<const float>(x.data(), {2, 2}), TensorView<float>(y.data(), {2, 2}), saved);
    EXPECT_EQ(y, (std::vector<float>{-scale, 6 * scale, scale, 10 * scale}));
    EXPECT_EQ(copy_of(layer.running_mean()), (std::vector<float>{scale, 2 * scale}));
    layer.backward(TensorView<const float>(dy.data(), {2, 2}), TensorView<const float>(x.data(), {2, 2}), saved,
                   TensorView<float>(dx.data(), {2, 2}));
    EXPECT_EQ(dx, (std::vector<float>{-1, -2, 1, 2}));
    EXPECT_EQ(copy_of(layer.bias_grad()), (std::vector<float>{4, 8}));
    layer(TensorView<const float>(x.data(), {2, 2}), TensorView<float>(y.data(), {2, 2}));
    EXPECT_EQ(y, (std::vector<float>{0, 8 * scale, 2 * scale, 12 * scale}));
  }
}

}  // namespace
}  // namespace norma_test::mixed
