// Copy assignment that runs out of memory, wherever it does: what is assigned to is what it was, and the next try succeeds.
#include "api/layers.hpp"
#include "support/counting_new.hpp"

namespace norma_test { namespace {

/// to = from; `state` is all of a value that may have changed.
template <class V, class StateOf>
void check_assignment(const V& to, const V& from, const StateOf& state) {
  V value = to;
  const Values before = state(value);
  V other = from;
  for (long allowed = 0; allowed < 100; ++allowed) {
    if (!runs_out_of_memory(allowed, [&] { value = from; })) {
      EXPECT_GT(allowed, 0) << "nothing was allocated, and so nothing tested";
      EXPECT_EQ(state(value), state(other));
      const V& same = value;
      value = same;
      EXPECT_EQ(state(value), state(other));
      return;
    }
    ASSERT_EQ(state(value), before) << "changed where allocation " << allowed << " failed";
  }
  FAIL() << "it never succeeds";
}
template <class L>
void check_layers(L few, L many) {
  const auto state = [](L& layer) { return state_of(layer); };
  for (int i = 0; i < 2; ++i, std::swap(few, many)) {
    for (const auto& parameter : {few.weight_grad(), many.weight_grad()}) std::fill(parameter.begin(), parameter.end(), 3);
    if (few.weight_grad().size() < many.weight_grad().size()) check_assignment(few, many, state);
    L enough = many;
    enough = few;
    EXPECT_EQ(state(enough), state(few));
  }
}

TEST(Assignment, OfLayers) {
  check_layers(norma::LayerNorm<float>({4}), norma::LayerNorm<float>({3, 40}));
  check_layers(norma::RMSNorm<double>(4), norma::RMSNorm<double>(400, {.bias = true}));
  check_layers(norma::BatchNorm<float>(4), norma::BatchNorm<float>(40));
  check_layers(norma::GroupNorm<float>(2, 4), norma::GroupNorm<float>(4, 400));
  check_layers(norma::InstanceNorm<float>(4, {.affine = true}),
               norma::InstanceNorm<float>(40, {.affine = true, .track_running_stats = true}));
  check_layers(norma::SwitchableNorm<float>(4), norma::SwitchableNorm<float>(40));
  check_layers(norma::BatchInstanceNorm<float>(4), norma::BatchInstanceNorm<float>(40));
  check_layers(norma::BatchRenorm<float>(4), norma::BatchRenorm<float>(40));
  check_layers(norma::SyncBatchNorm<float>(4), norma::SyncBatchNorm<float>(40));
}

TEST(Assignment, OfQKNorm) {
  norma::QKNorm<float> few(4), many(400);
  check_assignment(few, many, [](norma::QKNorm<float>& layer) { return state_of(layer); });
}

TEST(Assignment, OfWeights) {
  const std::vector<float> small = random_values<float>(6, 1), large = random_values<float>(600, 2);
  check_assignment(norma::WeightNorm<float>(shaped(small, {2, 3})), norma::WeightNorm<float>(shaped(large, {20, 30})),
                   [](norma::WeightNorm<float>& layer) { return state_of(layer); });
  check_assignment(norma::SpectralNorm<float>(shaped(small, {2, 3})), norma::SpectralNorm<float>(shaped(large, {20, 30})),
                   [](norma::SpectralNorm<float>& layer) { return state_of(layer); });
}

/// The backward that it served before is what it was.
TEST(Assignment, OfSaved) {
  norma::LayerNorm<float> ln({4});
  Tensors<float> few({3, 4}), many({300, 4});
  few.step(ln);
  many.step(ln);
  const auto state = [&](norma::Saved<float>& saved) {
    Values all;
    for (const auto& numbers : {saved.mean(), saved.rstd()}) all.insert(all.end(), numbers.begin(), numbers.end());
    Tensors<float>& t = saved.rstd().size() == 3 ? few : many;
    ln.backward(t.dy.view(), t.x.view(), saved, t.dx.view());
    for (const float v : t.dx.values()) all.push_back(v);
    return all;
  };
  check_assignment(few.saved, many.saved, state);
}

/// What it was moved from was never filled; a copy serves as it did.
TEST(Assignment, OfSavedByMoving) {
  norma::LayerNorm<float> ln({4});
  Tensors<float> t({3, 4});
  t.step(ln);
  const std::vector<float> dx = t.dx.values();
  norma::Saved<float> copy = t.saved, moved = std::move(t.saved);
  EXPECT_TRUE(t.saved.mean().empty() && t.saved.rstd().empty());
  expect_shape_error("LayerNorm", {"never filled"}, [&] { ln.backward(t.dy.view(), t.x.view(), t.saved, t.dx.view()); });
  t.saved = std::move(moved);
  for (norma::Saved<float>* const saved : {&copy, &t.saved}) {
    t.dx.wipe();
    ln.backward(t.dy.view(), t.x.view(), *saved, t.dx.view());
    EXPECT_EQ(t.dx.values(), dx);
  }
  EXPECT_TRUE(moved.rstd().empty());
}

}}  // namespace norma_test
