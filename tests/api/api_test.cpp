// The public contract: every call of the five plain norms compiles and does what it says.
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include <norma/interop/openmp.hpp>

#include "api/layers.hpp"
#include "support/counting_new.hpp"

namespace norma_test { namespace {

using norma::LayerNorm;
using norma::RMSNorm;
using norma::TensorView;

std::vector<float> ramp(std::size_t n) {
  std::vector<float> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = static_cast<float>((i * 7) % 11) - 4.0f;
  return v;
}

TEST(Api, ConstructionOfRowNorms) {
  const std::size_t h = 4, w = 6;
  LayerNorm<float> ln({768}), ln2({768}, {.eps = 1e-6, .bias = false}), image({h, w}), plain({3, 4}, {.affine = false});
  RMSNorm<float> rms({4096}, {.eps = 1e-6});
  LayerNorm<double> one(768);
  RMSNorm<double> also_one(768, {.bias = true});
  LayerNorm<float> every_ln_option({8}, {.eps = 1e-6, .affine = true, .bias = true, .unit_offset = true});
  RMSNorm<float> every_option({8}, {.eps = 1e-6, .affine = true, .bias = true, .unit_offset = true, .eps_outside_sqrt = true});
  EXPECT_EQ(ln.bias().size(), 768u);
  EXPECT_TRUE(ln2.bias().empty());
  EXPECT_EQ(rms.weight().size(), 4096u);
  EXPECT_TRUE(rms.bias().empty()) << "RMSNorm has no bias unless asked";
  EXPECT_EQ(image.weight().size(), 24u);
  EXPECT_EQ(one.weight().size(), 768u);
  EXPECT_EQ(also_one.bias().size(), 768u);
  EXPECT_TRUE(plain.weight().empty() && plain.bias().empty());
  EXPECT_EQ(every_option.weight()[7], 0.0f) << "a unit-offset weight starts at 0";
  EXPECT_EQ(every_ln_option.weight()[7], 0.0f);
}

// A layer without a template argument is one of float, or of its weight's doubles.
template <class Layer, template <class> class Of, class T = float>
constexpr bool is = std::is_same_v<Layer, Of<T>>;
static_assert(is<decltype(norma::LayerNorm({768})), norma::LayerNorm> && is<decltype(norma::LayerNorm(768)), norma::LayerNorm>);
static_assert(is<decltype(norma::LayerNorm({std::size_t{4}, std::size_t{6}}, {.eps = 1e-6})), norma::LayerNorm>);
static_assert(is<decltype(norma::LayerNorm(norma::LayerNorm<double>({768}))), norma::LayerNorm, double>);  // a copy
static_assert(is<decltype(norma::RMSNorm({4096}, {.eps = 1e-6})), norma::RMSNorm>);
static_assert(is<decltype(norma::RMSNorm({4096}, norma::RMSNormOptions<double>())), norma::RMSNorm, double>);
static_assert(is<decltype(norma::BatchNorm(64)), norma::BatchNorm> && is<decltype(norma::SyncBatchNorm(64)), norma::SyncBatchNorm>);
static_assert(is<decltype(norma::GroupNorm(32, 320)), norma::GroupNorm>);
static_assert(is<decltype(norma::InstanceNorm(128, {.affine = true})), norma::InstanceNorm>);
static_assert(is<decltype(norma::QKNorm(128)), norma::QKNorm> && is<decltype(norma::BatchRenorm(64)), norma::BatchRenorm>);
static_assert(is<decltype(norma::SwitchableNorm(64)), norma::SwitchableNorm>);
static_assert(is<decltype(norma::BatchInstanceNorm(64)), norma::BatchInstanceNorm>);
static_assert(is<decltype(norma::MeanOnlyBatchNorm(64)), norma::MeanOnlyBatchNorm>);
static_assert(is<decltype(norma::WeightNorm(std::vector<float>(8))), norma::WeightNorm>);
static_assert(is<decltype(norma::WeightNorm(std::vector<double>(8), {.dim = -1})), norma::WeightNorm, double>);
static_assert(is<decltype(norma::SpectralNorm(std::vector<float>(8))), norma::SpectralNorm>);
static_assert(is<decltype(norma::SpectralNorm(std::vector<double>(8))), norma::SpectralNorm, double>);
static_assert(is<decltype(norma::Saved()), norma::Saved>);

TEST(Api, ConstructionOfChannelNorms) {
  norma::BatchNorm<float> bn(64);
  norma::GroupNorm<float> gn(32, 320);  // groups, channels: torch's order
  norma::InstanceNorm<float> bare(3), in(128, {.affine = true});
  norma::BatchNorm<double> every_bn(4, {.eps = 1e-3,
                                        .momentum = std::nullopt,
                                        .affine = true,
                                        .bias = false,
                                        .track_running_stats = true,
                                        .convention = norma::StatsConvention::keras});
  norma::GroupNorm<double> every_gn(2, 4, {.eps = 1e-3, .affine = true, .bias = true, .unit_offset = true});
  norma::InstanceNorm<double> every_in(4, {.eps = 1e-3, .momentum = 0.2, .affine = true, .bias = false, .track_running_stats = true});
  EXPECT_EQ(bn.running_var().size(), 64u);
  EXPECT_EQ(gn.groups(), 32);
  EXPECT_EQ(gn.bias().size(), 320u);
  EXPECT_EQ(in.weight().size(), 128u);
  EXPECT_TRUE(bare.weight().empty() && bare.bias().empty() && in.running_mean().empty() && in.running_var().empty());
  EXPECT_TRUE(every_bn.bias().empty());
  EXPECT_EQ(every_gn.weight()[0], 0.0);
  EXPECT_EQ(every_in.running_mean().size(), 4u);
  for (const double eps : {bn.eps(), gn.eps(), in.eps(), norma::BatchRenorm<float>(3).eps(), norma::SwitchableNorm<float>(3).eps(),
                           norma::BatchInstanceNorm<float>(3).eps()})
    EXPECT_EQ(eps, 1e-5);
  static_assert(std::is_same_v<decltype(std::declval<const norma::BatchNorm<float>&>().running_mean()), std::span<const float>>);
  static_assert(std::is_copy_assignable_v<norma::InstanceNorm<double>> && std::is_nothrow_move_assignable_v<norma::BatchNorm<float>>);
}

TEST(Api, NamesOfStateArePyTorchs) {
  using norma::QKForm, norma::QKNorm, norma::WeightNorm;
  EXPECT_EQ(names_of(norma::BatchNorm<float>(3)), (Names{{"weight", 3}, {"bias", 3}, {"running_mean", 3}, {"running_var", 3}}));
  EXPECT_EQ(names_of(norma::InstanceNorm<float>(3)), Names());
  EXPECT_EQ(names_of(norma::MeanOnlyBatchNorm<float>(3)), (Names{{"bias", 3}, {"running_mean", 3}}));
  EXPECT_EQ(names_of(QKNorm<float>(8)), (Names{{"q_norm.weight", 8}, {"k_norm.weight", 8}}));
  EXPECT_EQ(names_of(QKNorm<float>(8, {.form = QKForm::layer})),
            (Names{{"q_norm.weight", 8}, {"q_norm.bias", 8}, {"k_norm.weight", 8}, {"k_norm.bias", 8}}));
  EXPECT_EQ(names_of(QKNorm<float>(8, {.form = QKForm::layer, .bias = false})), names_of(QKNorm<float>(8)));
  EXPECT_EQ(names_of(QKNorm<float>(8, {.form = QKForm::layer, .affine = false})), Names());
  EXPECT_EQ(names_of(QKNorm<float>(8, {.form = QKForm::l2})), (Names{{"scale", 1}}));
  const std::vector<float> six = ramp(6);
  const TensorView<const float> w0 = shaped(six, {2, 3});
  EXPECT_EQ(names_of(WeightNorm<float>(w0)), (Names{{"parametrizations.weight.original0", 2}, {"parametrizations.weight.original1", 6}}));
  EXPECT_EQ(names_of(WeightNorm<float>(w0, {.legacy_names = true})), (Names{{"weight_g", 2}, {"weight_v", 6}}));
  EXPECT_EQ(names_of(norma::SpectralNorm<float>(w0)),
            (Names{{"parametrizations.weight.original", 6}, {"parametrizations.weight.0._u", 2}, {"parametrizations.weight.0._v", 3}}));
  EXPECT_EQ(names_of(norma::SpectralNorm<float>(w0, {.legacy_names = true})),
            (Names{{"weight_orig", 6}, {"weight_u", 2}, {"weight_v", 3}}));
  EXPECT_EQ(names_of(norma::BatchInstanceNorm<float>(3, {.affine = false, .track_running_stats = false})), (Names{{"gate", 3}}));
  // Of no elements they have their names all the same.
  EXPECT_EQ(names_of(norma::BatchNorm<float>(0)), (Names{{"weight", 0}, {"bias", 0}, {"running_mean", 0}, {"running_var", 0}}));
  EXPECT_EQ(names_of(norma::LayerNorm<float>({2, 0})), (Names{{"weight", 0}, {"bias", 0}}));
  EXPECT_EQ(names_of(QKNorm<float>(0)), (Names{{"q_norm.weight", 0}, {"k_norm.weight", 0}}));
}

TEST(Api, AConstQKNormIsRead) {
  const norma::QKNorm<float> layer(8), l2(8, {.form = norma::QKForm::l2});
  EXPECT_EQ(layer.q_weight().size() + layer.k_weight_grad().size(), 16u);
  EXPECT_EQ(l2.scale().size() + l2.scale_grad().size(), 2u);
  static_assert(std::is_same_v<decltype(layer.k_bias()), std::span<const float>>);
}

static_assert(std::is_copy_constructible_v<LayerNorm<float>> && std::is_copy_assignable_v<LayerNorm<float>>);
static_assert(std::is_nothrow_move_constructible_v<LayerNorm<float>> && std::is_nothrow_move_assignable_v<RMSNorm<double>>);
static_assert(!std::is_polymorphic_v<LayerNorm<float>> && !std::is_polymorphic_v<norma::BatchNorm<float>>);
static_assert(std::is_same_v<decltype(std::declval<const LayerNorm<float>&>().weight()), std::span<const float>>);
static_assert(std::is_same_v<decltype(std::declval<norma::Saved<float>&>().mean()), std::span<const float>>);

template <class L>
void check_memory_of_yours(L layer, bool centred) {
  constexpr std::size_t sets = 3, spare = 2;
  Tensors<float> t({3, 4});
  t.step(layer);
  const std::vector<float> y = t.y.values(), dx = t.dx.values(), untouched(sets + spare, 7);
  std::vector<float> mean = untouched, rstd = untouched;
  const norma::Saved<float> before = t.saved;
  t.saved.use(centred ? std::span<float>(mean) : std::span<float>(), rstd);
  EXPECT_THROW(layer.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()), norma::ShapeError) << "what was there is forgotten";
  t.step(layer);
  EXPECT_EQ(t.y.values(), y);
  EXPECT_EQ(t.dx.values(), dx);
  EXPECT_TRUE(std::equal(before.rstd().begin(), before.rstd().end(), rstd.begin()));
  EXPECT_TRUE(std::equal(before.mean().begin(), before.mean().end(), mean.begin()));
  EXPECT_EQ(t.saved.rstd().data(), rstd.data());
  EXPECT_EQ(t.saved.mean().size(), before.mean().size());
  for (std::size_t i = sets; i < sets + spare; ++i) EXPECT_EQ(rstd[i] + mean[i], 14);

  t.saved.use(mean, std::span<float>(rstd.data(), sets - 1));
  t.y.set(dx);
  EXPECT_THROW(layer.forward(t.x.view(), t.y.view(), t.saved), norma::ShapeError);
  EXPECT_EQ(t.y.values(), dx) << "written in spite of the error";
  t.saved.use({}, {});
  mean = untouched;
  t.step(layer);
  EXPECT_EQ(mean, untouched);
  EXPECT_EQ(t.dx.values(), dx);
}

TEST(Api, StatisticsOnMemoryOfYours) {
  check_memory_of_yours(LayerNorm<float>({4}), true);
  check_memory_of_yours(RMSNorm<float>({4}), false);
  check_memory_of_yours(norma::GroupNorm<float>(1, 4), true);
}

TEST(Api, FunctionsOverAxes) {
  const std::vector<float> data = ramp(2 * 3 * 5);
  const std::vector<float> w = {1, -2, 0.5f}, b = {0, 1, 2};
  std::vector<float> w5 = ramp(5), y1(30), y2(30), dw(3, 0), db(3, 0), dx(30);
  const TensorView<const float> x = shaped(data, {2, 3, 5});
  const TensorView<float> y = shaped(y1, {2, 3, 5}), z = shaped(y2, {2, 3, 5});
  norma::layer_norm(x, y);  // last axis, no options
  norma::layer_norm(x, z, {.weight = w5, .eps = 1e-5});
  norma::layer_norm(x, z, {.axes = {1}, .weight = w, .bias = b});
  norma::layer_norm(norma::openmp(2), x, y, {.axes = {1}, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y1, y2);
  norma::rms_norm(x, y);
  norma::rms_norm(x, z, {.weight = w5, .eps = 1e-6});
  norma::rms_norm(x, z, {.axes = {-2}, .weight = w, .bias = b, .eps = 1e-6, .unit_offset = true, .eps_outside_sqrt = true});
  norma::Saved<float> saved;
  norma::layer_norm(x, y, saved, {.axes = {-2}, .weight = w, .bias = b});
  norma::layer_norm_backward(x, x, saved, shaped(dx, {2, 3, 5}), {.axes = {1}, .weight = w, .weight_grad = dw, .bias_grad = db});
  EXPECT_NE(dw, std::vector<float>(3, 0));
  norma::rms_norm(norma::sequential, x, y, saved, {.axes = {0, 2}});
  norma::rms_norm_backward(norma::sequential, x, x, saved, shaped(dx, {2, 3, 5}), {.axes = {2, 0}});
  EXPECT_EQ(saved.rstd().size(), 3u);
  EXPECT_TRUE(saved.mean().empty());
}

TEST(Api, FunctionsOfChannels) {
  const std::vector<float> data = ramp(2 * 4 * 6), w = {1, -2, 0.5f, 3}, b = {0, 1, 2, 3};
  std::vector<float> y(48), z(48), dx(48), dw(4), db(4), m(4, 0), v(4, 1);
  const TensorView<const float> x = shaped(data, {2, 4, 6});
  const auto out = [](std::vector<float>& values) { return shaped(values, {2, 4, 6}); };
  norma::Saved<float> saved;
  norma::group_norm(x, out(y), {.groups = 2, .weight = w, .bias = b});
  norma::group_norm(x, out(z), saved, {.groups = 2, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y, z);
  norma::group_norm_backward(x, x, saved, out(dx), {.groups = 2, .weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  EXPECT_NE(dw, std::vector<float>(4, 0));
  EXPECT_EQ(saved.mean().size(), 4u) << "two samples, two groups";
  norma::instance_norm(x, out(y), {.weight = w, .bias = b});
  norma::instance_norm(x, out(z), saved, {.weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_EQ(y, z);
  norma::instance_norm_backward(x, x, saved, out(dx), {.weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  EXPECT_EQ(saved.rstd().size(), 8u);
  norma::instance_norm(x, out(y));
  norma::batch_norm(x, out(y), {.mean = m, .variance = v, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_NEAR(y[6], data[6] * -2 + 1, 1e-3);
  norma::batch_norm(x, out(y), saved,
                    {.running_mean = m, .running_var = v, .momentum = 0.5, .weight = w, .bias = b, .eps = 1e-5, .unit_offset = false});
  EXPECT_NE(m, std::vector<float>(4, 0));
  norma::batch_norm(x, out(z), saved);
  norma::batch_norm_backward(x, x, saved, out(dx), {.weight = w, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  norma::batch_norm_backward_frozen(
      x, x, out(dx), {.mean = m, .variance = v, .weight = w, .eps = 1e-5, .unit_offset = false, .weight_grad = dw, .bias_grad = db});
  norma::batch_norm(norma::openmp(2), x, out(y), {.mean = m, .variance = v});
}

/// Also with a weight for each sample and channel, and so few samples that threads share their elements out.
TEST(Api, InferenceOfGivenStatisticsAllocatesNothingOnThreads) {
  const Extents extents = {2, 256, 32, 32};
  Tensor<float> x(extents, {.layout = Layout::channels_last}, random_values<float>(count(extents), 1)),
      y(extents, {.layout = Layout::channels_last});
  const std::vector<float> mean(256, 0), variance(256, 1), weight(512, 2);
  const auto infer = [&] {
    norma::batch_norm(norma::openmp(2), x.view(), y.view(), {.mean = mean, .variance = variance, .weight = shaped(weight, {2, 256, 1, 1})});
  };
  infer();  // a runtime that starts its threads may allocate
  const long before = allocations_so_far();
  infer();
  EXPECT_EQ(allocations_so_far(), before);
}

TEST(Api, OptionalViewsTakeContainersAndEigen) {
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(3, 4), y(3, 4), z(3, 4);
  const Eigen::VectorXf weight = Eigen::VectorXf::Random(4);
  const std::vector<float> as_vector(weight.data(), weight.data() + 4);
  norma::layer_norm(x, y, {.weight = weight});
  norma::layer_norm(x, z, {.weight = as_vector});
  EXPECT_EQ(y, z);
  const std::array<float, 4> array = {weight[0], weight[1], weight[2], weight[3]};
  norma::layer_norm(x, z, {.weight = std::span<const float>(array)});
  EXPECT_EQ(y, z);
}

TEST(Api, DefaultEpsilons) {
  // A row of equal magnitudes shows eps: y = a / sqrt(a^2 + eps).
  const double tiny = 1e-4, small = 1e-8;
  const float float_tiny = 3e-4f;
  std::vector<double> x = {tiny, -tiny}, y(2), y_of_layer(2);
  norma::layer_norm(x, y);
  EXPECT_NEAR(y[0], tiny / std::sqrt(tiny * tiny + 1e-5), 1e-12);
  LayerNorm<double>(2)(x, y_of_layer);
  EXPECT_EQ(y_of_layer, y);
  x = {small, small};
  norma::rms_norm(x, y);
  EXPECT_NEAR(y[0], small / std::sqrt(small * small + std::numeric_limits<double>::epsilon()), 1e-12);
  std::vector<float> xf = {float_tiny, float_tiny}, yf(2), yf_of_layer(2);
  norma::rms_norm(xf, yf);
  EXPECT_NEAR(yf[0], float_tiny / std::sqrt(float_tiny * float_tiny + std::numeric_limits<float>::epsilon()), 1e-6);
  RMSNorm<float>(2)(xf, yf_of_layer);
  EXPECT_EQ(yf_of_layer, yf);
}

}  // namespace
}  // namespace norma_test
