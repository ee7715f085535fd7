// The errors that no property asks for: of constructors, of options that a layer or a function has for itself, and the words of the rules.
#include <functional>
#include <limits>
#include <new>

#include "api/layers.hpp"

namespace norma_test { namespace {

using norma::BatchNorm;
using norma::Extents;
using norma::GroupNorm;
using norma::InstanceNorm;
using norma::LayerNorm;
using norma::QKNorm;
using norma::RMSNorm;
using norma::Saved;
using norma::TensorView;
using norma::WeightNorm;

/// What a refused call is handed: ones to read, and fives that nobody may write.
struct Door {
  TensorView<const float> in(const Extents& extents) const { return shaped(ones, extents); }
  TensorView<float> out(const Extents& extents) { return shaped(fives, extents); }
  /// The call throws a message of the layer with these words.
  void refuses(const char* layer, const std::vector<std::string>& words, const std::function<void()>& call) const {
    expect_shape_error(layer, words, call);
    EXPECT_EQ(fives, std::vector<float>(64, 5)) << "nothing may be written";
  }

  std::vector<float> ones = std::vector<float>(64, 1), fives = std::vector<float>(64, 5);
};

TEST(Errors, OfConstructors) {
  const Door door;
  const TensorView<const float> scalar = door.in({}), w0 = door.in({2, 3}), null(nullptr, {2, 3});
  door.refuses("LayerNorm", {"normalized_shape"}, [] { LayerNorm<float> layer(Extents{}); });
  door.refuses("LayerNorm", {"normalized_shape", "(3, -4)"}, [] { LayerNorm<float> layer({3, -4}); });
  door.refuses("RMSNorm", {"normalized_shape"}, [] { RMSNorm<float> layer(Extents{}); });
  door.refuses("RMSNorm", {"normalized_shape", "(3, -4)"}, [] { RMSNorm<float> layer({3, -4}); });
  door.refuses("BatchNorm", {"-1 channels"}, [] { BatchNorm<float> layer(-1); });
  door.refuses("InstanceNorm", {"-2 channels"}, [] { InstanceNorm<float> layer(-2); });
  door.refuses("GroupNorm", {"-4 channels"}, [] { GroupNorm<float> layer(2, -4); });
  for (const int groups : {8, 0, -3}) {
    const std::string sentence = "30 channels do not split into " + std::to_string(groups) + " groups";
    door.refuses("GroupNorm", {sentence}, [&] { GroupNorm<float> layer(groups, 30); });
  }
  door.refuses("QKNorm", {"head_dim", "-1"}, [] { QKNorm<float> layer(-1); });
  door.refuses("QKNorm", {"sequence_length", "1"}, [] { QKNorm<float> layer(8, {.form = norma::QKForm::l2, .sequence_length = 1}); });
  door.refuses("WeightNorm", {"rank 0"}, [&] { WeightNorm<float> layer(scalar); });
  door.refuses("WeightNorm", {"null"}, [&] { WeightNorm<float> layer(null); });
  for (const int axis : {2, -3}) {
    door.refuses("WeightNorm", {"axis", std::to_string(axis)}, [&] { WeightNorm<float> layer(w0, {.dim = axis}); });
  }
}

/// make(eps, momentum) constructs a layer.
void expect_sane_numbers(const char* layer, const std::function<void(double, double)>& make) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double eps : {-1e-5, nan}) expect_shape_error(layer, {"eps is"}, [&] { make(eps, 0.1); });
  for (const double momentum : {-0.1, 1.1, nan}) expect_shape_error(layer, {"momentum is"}, [&] { make(0, momentum); });
}
void expect_sane_eps(const char* layer, const std::function<void(double)>& make) {
  for (const double eps : {-1e-5, std::numeric_limits<double>::quiet_NaN()}) expect_shape_error(layer, {"eps is"}, [&] { make(eps); });
}

TEST(Errors, OfNumbersThatNoLayerHas) {
  using std::numeric_limits;
  const std::vector<float> w0(6, 1);
  expect_sane_eps("LayerNorm", [](double eps) { LayerNorm<float> layer({4}, {.eps = eps}); });
  expect_sane_eps("RMSNorm", [](double eps) { RMSNorm<float> layer({4}, {.eps = eps}); });
  expect_sane_eps("GroupNorm", [](double eps) { GroupNorm<float> layer(2, 4, {.eps = eps}); });
  expect_sane_eps("QKNorm", [](double eps) { QKNorm<float> layer(4, {.eps = eps}); });
  expect_sane_eps("SpectralNorm", [&](double eps) { norma::SpectralNorm<float> layer(shaped(w0, {2, 3}), {.eps = eps}); });
  expect_sane_numbers("BatchNorm", [](double eps, double m) { BatchNorm<float> layer(4, {.eps = eps, .momentum = m}); });
  expect_sane_numbers("InstanceNorm", [](double eps, double m) { InstanceNorm<float> layer(4, {.eps = eps, .momentum = m}); });
  expect_sane_numbers("BatchRenorm", [](double eps, double m) { norma::BatchRenorm<float> layer(4, {.eps = eps, .momentum = m}); });
  expect_sane_numbers("SyncBatchNorm", [](double eps, double m) { norma::SyncBatchNorm<float> layer(4, {.eps = eps, .momentum = m}); });
  expect_sane_numbers("SwitchableNorm", [](double eps, double m) { norma::SwitchableNorm<float> layer(4, {.eps = eps, .momentum = m}); });
  expect_sane_numbers("BatchInstanceNorm",
                      [](double eps, double m) { norma::BatchInstanceNorm<float> layer(4, {.eps = eps, .momentum = m}); });
  for (const double momentum : {-0.1, 1.1, numeric_limits<double>::quiet_NaN()})
    expect_shape_error("MeanOnlyBatchNorm", {"momentum is"}, [&] { norma::MeanOnlyBatchNorm<float> layer(4, {.momentum = momentum}); });
  // Parameters that no memory holds.
  EXPECT_THROW(BatchNorm<float>(norma::index_t{1} << 62), std::bad_alloc);
  EXPECT_THROW(LayerNorm<float>({norma::index_t{1} << 31, norma::index_t{1} << 31}), std::bad_alloc);
  EXPECT_THROW(LayerNorm<float>({norma::index_t{1} << 40, norma::index_t{1} << 40}), std::bad_alloc);
}

TEST(Errors, NameTheRuleAndTheShapes) {
  Door door;
  const auto refuses = [&](const char* layer, const auto& norm, const Extents& x, const std::vector<std::string>& words) {
    door.refuses(layer, words, [&] { norm(door.in(x), door.out(x)); });
  };
  refuses("LayerNorm", LayerNorm<float>(8), {4, 7}, {"x has extents (4, 7)", "normalized_shape is (8)"});
  refuses("LayerNorm", LayerNorm<float>(8), {}, {"(8)"});
  refuses("RMSNorm", RMSNorm<float>(8), {8, 3}, {"x has extents (8, 3)", "normalized_shape is (8)"});
  refuses("BatchNorm", BatchNorm<float>(3), {2, 4}, {"(2, 4)", "4 channels", "has 3"});
  refuses("BatchNorm", BatchNorm<float>(3), {3}, {"(3)", "(N, C)"});
  refuses("GroupNorm", GroupNorm<float>(2, 4), {2, 6}, {"(2, 6)", "6 channels", "has 4"});
  refuses("GroupNorm", GroupNorm<float>(2, 4), {4}, {"(4)", "(N, C)"});
  refuses("InstanceNorm", InstanceNorm<float>(3), {2, 4, 2}, {"(2, 4, 2)", "4 channels", "has 3"});
  refuses("InstanceNorm", InstanceNorm<float>(3), {2, 3}, {"(2, 3)", "(N, C, spatial...)"});
  const QKNorm<float> heads(8);
  const auto refuses_heads = [&](const Extents& q, const Extents& k, const std::vector<std::string>& words) {
    door.refuses("QKNorm", words, [&] { heads(door.in(q), door.in(k), door.out(q), door.out(k)); });
  };
  refuses_heads({2, 4}, {2, 8}, {"q has extents (2, 4)", "head_dim is 8"});
  refuses_heads({2, 8}, {8, 2}, {"k has extents (8, 2)", "head_dim is 8"});
  refuses_heads({}, {8}, {"q", "head_dim"});
}

TEST(Errors, OfFrozenBackwards) {
  Door door;
  BatchNorm<float> batch(3), untracked(3, {.track_running_stats = false});
  InstanceNorm<float> instance(3);
  const Values before = state_of(batch), of_untracked = state_of(untracked);
  const auto backward = [&](auto& layer, const Extents& x) { layer.backward_frozen(door.in(x), door.in(x), door.out(x)); };
  door.refuses("BatchNorm", {"(2, 5)", "has 3"}, [&] { backward(batch, {2, 5}); });
  door.refuses("BatchNorm", {"backward_frozen", "running statistics"}, [&] { backward(untracked, {2, 3, 2}); });
  door.refuses("InstanceNorm", {"backward_frozen", "running statistics"}, [&] { backward(instance, {2, 3, 2}); });
  EXPECT_EQ(state_of(batch), before);
  EXPECT_EQ(state_of(untracked), of_untracked);
}

/// Of another form of QKNorm, another number of keys, another axis of a weight.
TEST(Errors, OfASavedOfAnotherForm) {
  Door door;
  QKNorm<float> heads(8), l2(8, {.form = norma::QKForm::l2});
  Tensors<float> q({2, 8}), k({3, 8});
  Saved<float> saved;
  const auto refuses = [&](QKNorm<float>& of, const Extents& keys, const std::vector<std::string>& words) {
    of.forward(q.x.view(), k.x.view(), q.y.view(), k.y.view(), saved);
    door.refuses("QKNorm", words, [&] {
      heads.backward(door.in({2, 8}), door.in(keys), door.in({2, 8}), door.in(keys), saved, door.out({2, 8}), door.out(keys));
    });
  };
  refuses(l2, {3, 8}, {"saved"});
  refuses(heads, {4, 8}, {"k", "(4, 8)", "(3, 8)"});
  for (const float g : heads.q_weight_grad()) EXPECT_EQ(g, 0);
  const TensorView<const float> w0 = door.in({2, 3});
  WeightNorm<float> whole(w0, {.dim = std::nullopt}), layer(w0);
  std::vector<float> w(6);
  whole.forward(shaped(w, {2, 3}), saved);
  door.refuses("WeightNorm", {"axes"}, [&] { layer.backward(w0, saved); });
  for (const float g : layer.v_grad()) EXPECT_EQ(g, 0);
}

TEST(Errors, OfRunningViews) {
  Door door;
  std::vector<float> mean(3, 6), variance(3, 7), four(4, 8);
  Saved<float> saved;
  const auto refuses = [&](const std::vector<std::string>& words, const norma::BatchNormTrainingViews<float>& options) {
    door.refuses("BatchNorm", words, [&] { norma::batch_norm(door.in({4, 3}), door.out({4, 3}), saved, options); });
  };
  refuses({"running_mean and running_var", "both"}, {.running_mean = mean});
  refuses({"running_mean and running_var", "both"}, {.running_var = variance});
  refuses({"running_mean", "(4)", "3"}, {.running_mean = four, .running_var = variance});
  refuses({"running_var", "(4)", "3"}, {.running_mean = mean, .running_var = four});
  EXPECT_EQ(mean, std::vector<float>(3, 6));
  EXPECT_EQ(variance, std::vector<float>(3, 7));
  EXPECT_EQ(four, std::vector<float>(4, 8));
  EXPECT_TRUE(saved.mean().empty());
}

TEST(Errors, OfInitialize) {
  Door door;
  WeightNorm<float> layer(door.in({2, 3})), whole(door.in({2, 3}), {.dim = std::nullopt});
  const Values before = state_of(layer), of_whole = state_of(whole);
  const auto refuses = [&](WeightNorm<float>& norm, const std::vector<std::string>& words, const Extents& t, norma::index_t biases) {
    door.refuses("WeightNorm", words, [&] { norm.initialize(door.in(t), door.out({biases})); });
  };
  refuses(layer, {"bias", "(3)", "2"}, {3, 2}, 3);
  refuses(layer, {"t", "(2, 3)", "2"}, {2, 3}, 2);
  refuses(layer, {"t", "(6)"}, {6}, 2);
  refuses(whole, {"t", "1"}, {3, 2}, 2);
  EXPECT_EQ(state_of(layer), before);
  EXPECT_EQ(state_of(whole), of_whole);
}

TEST(Errors, OfFoldBatchNorm) {
  Door door;
  const BatchNorm<float> norm(4), untracked(4, {.track_running_stats = false});
  const auto refuses = [&](const std::vector<std::string>& words, const Extents& weight, const Extents& bias, norma::index_t axis) {
    door.refuses("fold_batch_norm", words, [&] { norma::fold_batch_norm(door.out(weight), door.out(bias), norm, {.axis = axis}); });
  };
  refuses({"(6, 4)", "axis 0", "6", "has 4"}, {6, 4}, {4}, 0);
  refuses({"(4, 6)", "axis 1", "has 4"}, {4, 6}, {4}, 1);
  refuses({"axis 2"}, {4, 6}, {4}, 2);
  refuses({"axis -3"}, {4, 6}, {4}, -3);
  refuses({"bias", "(3)", "(4)"}, {4, 6}, {3}, 0);
  refuses({"bias", "(4, 1)"}, {4, 6}, {4, 1}, 0);
  const TensorView<float> null(nullptr, {4, 6});
  door.refuses("fold_batch_norm", {"weight", "null"}, [&] { norma::fold_batch_norm(null, door.out({4}), norm); });
  door.refuses("fold_batch_norm", {"running statistics"}, [&] { norma::fold_batch_norm(door.out({4, 6}), door.out({4}), untracked); });
  norma::fold_batch_norm(door.out({0, 6}), door.out({0}), BatchNorm<float>(0));  // nothing to do
}

}  // namespace
}  // namespace norma_test
