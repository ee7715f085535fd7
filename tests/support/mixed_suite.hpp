// The suite that each mixed norm is run through: every property over its cases, registered with GoogleTest when the program starts.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "support/counting_new.hpp"
#include "support/mixed_layer.hpp"

namespace norma_test::mixed {

/// One case of one property.
class CaseTest : public testing::Test {
 public:
  explicit CaseTest(std::function<void()> body) : body_(std::move(body)) {}
  void TestBody() override { body_(); }

 private:
  std::function<void()> body_;
};

inline void add(const std::string& suite, const std::string& name, std::function<void()> body) {
  testing::RegisterTest(suite.c_str(), name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                        [body = std::move(body)]() -> CaseTest* { return new CaseTest(body); });
}
template <class Check>
void add_all(const std::string& suite, const std::vector<Case>& all, Check check) {
  for (const Case& c : all) add(suite, name_of(c), [=] { check(c); });
}

// --- Errors and the rest of the contract ----------------------------------------------------------------------------------------------

/// A ShapeError of every kind; nothing is written by any.
template <class K>
void check_errors() {
  using T = float;
  Rig<K, T> rig({4, 3, 5}, {}, {});
  const auto before = state_of(rig.layer);
  const auto x = [&](const norma::Extents& e) { return TensorView<T>(rig.tx.view().data(), e); };
  const auto y = [&](const norma::Extents& e) { return TensorView<T>(rig.ty.view().data(), e); };
  norma::Saved<T> empty, foreign;
  const auto refuses = [&](const std::vector<std::string>& words, auto call) { expect_shape_error(K::name, words, call); };
  refuses({"-1 channels"}, [] { K::template make<T>(-1, {}); });
  refuses({"(4)", "(N, C)"}, [&] { rig.layer(x({4}), y({4})); });
  refuses({"(2, 4)", "4 channels", "has 3"}, [&] { rig.layer(x({2, 4}), y({2, 4})); });
  refuses({"(2, 4, 3)", "4 channels", "has 3"}, [&] { rig.layer.forward(x({2, 4, 3}), y({2, 4, 3}), empty); });
  refuses({"y", "(4, 3, 5)", "(4, 3, 4)"}, [&] { rig.layer.forward(x({4, 3, 5}), y({4, 3, 4}), empty); });
  refuses({"y", "(4, 3, 5)", "(4, 3)"}, [&] { rig.layer(x({4, 3, 5}), y({4, 3})); });
  refuses({"dy", "(4, 3)"}, [&] { rig.layer.backward_frozen(x({4, 3}), x({4, 3, 5}), y({4, 3, 5})); });
  refuses({"dx", "(4, 3)"}, [&] { rig.layer.backward_frozen(x({4, 3, 5}), x({4, 3, 5}), y({4, 3})); });
  refuses({"(2, 4)", "has 3"}, [&] { rig.layer.backward_frozen(x({2, 4}), x({2, 4}), y({2, 4})); });
  refuses({"never filled"}, [&] { rig.layer.backward(x({4, 3}), x({4, 3}), empty, y({4, 3})); });
  std::vector<T> elsewhere(64);
  norma::InstanceNorm<T>(3).forward(x({4, 3, 5}), TensorView<T>(elsewhere.data(), {4, 3, 5}), foreign);
  refuses({"InstanceNorm"}, [&] { rig.layer.backward(x({4, 3, 5}), x({4, 3, 5}), foreign, y({4, 3, 5})); });

  typename Rig<K, T>::Layer other = rig.layer;
  other.forward(x({4, 3, 4}), TensorView<T>(elsewhere.data(), {4, 3, 4}), foreign);
  refuses({"(4, 3, 4)", "(4, 3, 5)"}, [&] { rig.layer.backward(x({4, 3, 5}), x({4, 3, 5}), foreign, y({4, 3, 5})); });
  refuses({"dy", "(4, 3)"}, [&] { rig.layer.backward(x({4, 3}), x({4, 3, 4}), foreign, y({4, 3, 4})); });
  refuses({"dx", "(4, 3)"}, [&] { rig.layer.backward(x({4, 3, 4}), x({4, 3, 4}), foreign, y({4, 3})); });
  EXPECT_TRUE(same(state_of(rig.layer), before)) << "parameters, gradients or statistics were written";
  EXPECT_TRUE(same(rig.ty.values(), Tensor<T>({4, 3, 5}, {}).values())) << "y was written";
  EXPECT_TRUE(empty.mean().empty());
}

/// One value per channel teaches nothing about a variance: an error before anything is written. MeanOnlyBatchNorm gives the bias.
template <class K>
void check_one_value(const Extents& extents) {
  using T = float;
  Rig<K, T> rig(extents, {}, {});
  const auto before = state_of(rig.layer);
  if constexpr (K::has_weight) {
    Rig<K, T> filled({4, extents[1]}, {}, {});
    filled.layer.forward(filled.tx.view(), filled.ty.view(), filled.saved);
    const std::vector<T> mean = copy_of(filled.saved.mean());
    expect_shape_error(K::name, {"more than one value per channel", "(" + to_string(extents, ", ") + ")"},
                       [&] { rig.layer.forward(rig.tx.view(), rig.ty.view(), filled.saved); });
    EXPECT_TRUE(same(state_of(rig.layer), before));
    EXPECT_TRUE(same(copy_of(filled.saved.mean()), mean));
    EXPECT_TRUE(same(rig.ty.values(), Tensor<T>(extents, {}).values())) << "y was written";
  } else {
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    EXPECT_TRUE(same(rig.ty.values(), copy_of(rig.layer.bias())));
    rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
    for (const T dx : rig.tdx.values()) EXPECT_EQ(dx, T(0));
    EXPECT_TRUE(same(copy_of(rig.layer.bias_grad()), rig.dy));
  }
  Rig<K, T> inference(extents, {}, {});
  expect_inference_correct(inference);  // is legal for all of them
}

/// No samples, no positions, or no channels: nothing changes, the counter included.
template <class K>
void check_empty(const Extents& extents) {
  using T = float;
  for (const bool tracks : {true, false}) {
    Settings settings;
    settings.tracks = tracks;
    Rig<K, T> rig(extents, {}, settings);
    rig.layer.set_num_batches_tracked(9);
    const auto before = state_of(rig.layer);
    T nowhere = 7;
    for (T* const pointer : {static_cast<T*>(nullptr), &nowhere}) {
      const TensorView<T> empty(pointer, extents);
      rig.layer(empty, empty);
      rig.layer.forward(empty, empty, rig.saved);
      rig.layer.backward(empty, empty, rig.saved, empty);
      if (rig.tracks() && extents[1] > 0) rig.layer.backward_frozen(empty, empty, empty);
      EXPECT_TRUE(same(state_of(rig.layer), before));
      EXPECT_EQ(nowhere, 7);
    }
  }
}

/// Absent dx: the gradients are the same; a Saved that served other shapes before serves again.
template <class K>
void check_absent_dx_and_reuse() {
  using T = float;
  Rig<K, T> rig({5, 7, 3, 2}, {}, {});
  typename Rig<K, T>::Layer layer = rig.layer;
  rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  norma::Saved<T> saved;
  for (const Extents& extents : std::vector<Extents>{{9, 7, 31}, {2, 7}}) {
    Rig<K, T> other(extents, {}, {});
    other.layer.forward(other.tx.view(), other.ty.view(), saved);
    other.layer.backward(other.tdy.view(), other.tx.view(), saved, other.tdx.view());
  }
  layer.forward(rig.tx.view(), rig.ty.view(), saved);
  norma::Saved<T> copy = saved;
  layer.backward(rig.tdy.view(), rig.tx.view(), copy, TensorView<T>());
  EXPECT_TRUE(same(state_of(layer), state_of(rig.layer)));
  Tensor<T> dx(rig.extents, {});
  layer.backward(rig.tdy.view(), rig.tx.view(), saved, dx.view());
  EXPECT_TRUE(same(dx.values(), rig.tdx.values()));
}

/// Copies are layers of their own; a moved layer goes on as the one it was.
template <class K>
void check_value() {
  using T = double;
  using Layer = typename K::template Layer<T>;
  static_assert(std::is_copy_constructible_v<Layer> && std::is_copy_assignable_v<Layer>);
  static_assert(std::is_move_constructible_v<Layer> && std::is_move_assignable_v<Layer>);
  static_assert(!std::is_polymorphic_v<Layer>);
  Rig<K, T> rig({4, 3, 5}, {}, {});
  rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  const auto state = state_of(rig.layer);
  Layer copy = rig.layer;
  rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  const auto later = state_of(rig.layer);
  const std::vector<T> y = rig.ty.values();
  EXPECT_FALSE(same(later, state));
  EXPECT_TRUE(same(state_of(copy), state)) << "the copy went along";
  Layer moved = std::move(copy);
  EXPECT_TRUE(same(state_of(moved), state));
  Layer assigned = K::template make<T>(1, {});
  assigned = std::move(moved);
  assigned.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  EXPECT_TRUE(same(state_of(assigned), later));
  EXPECT_TRUE(same(rig.ty.values(), y));
  copy = rig.layer;
  EXPECT_TRUE(same(state_of(copy), later));
}

/// The training step allocates nothing from the second time on, inference nothing at all where the kind says so.
template <class K>
void check_allocations(Layout layout) {
  using T = float;
  Where where;
  where.layout = layout;
  Rig<K, T> rig({5, 17, 6, 4}, where, {});
  const auto x = rig.tx.view(), y = rig.ty.view(), dy = rig.tdy.view(), dx = rig.tdx.view();
  const auto step = [&] { rig.layer.forward(x, y, rig.saved); };
  step();
  rig.layer.backward(dy, x, rig.saved, dx);
  long before = allocations_so_far();
  step();
  EXPECT_EQ(allocations_so_far() - before, 0) << "training forward";
  before = allocations_so_far();
  rig.layer.backward(dy, x, rig.saved, dx);
  EXPECT_EQ(allocations_so_far() - before, 0) << "backward";
  if (!K::inference_allocates_nothing) return;
  for (const bool tracks : {true, false}) {
    Settings settings;
    settings.tracks = tracks;
    Rig<K, T> other({5, 17, 6, 4}, where, settings);
    before = allocations_so_far();
    std::as_const(other.layer)(x, y);
    EXPECT_EQ(allocations_so_far() - before, 0) << "inference" << (tracks ? "" : " with batch statistics");
  }
}

/// The names of parameters and buffers, and the values a layer begins with.
template <class K>
void check_names(const Settings& settings, const std::vector<std::string>& expected) {
  auto layer = K::template make<float>(3, settings);
  std::vector<std::string> names;
  layer.for_each_parameter([&](std::string_view name, std::span<float> value, std::span<float> grad) {
    names.emplace_back(name);
    EXPECT_EQ(value.size(), grad.size());
    EXPECT_EQ(value.size(), 3u) << name << ", of channels or of logits";
    for (const float v : value) EXPECT_EQ(v, name == "bias" ? 0.0f : 1.0f) << name;
    for (const float g : grad) EXPECT_EQ(g, 0.0f) << name;
  });
  layer.for_each_buffer([&](std::string_view name, std::span<float> value) {
    names.emplace_back(name);
    const float first = name == "running_mean" || (K::has_authors && settings.authors) ? 0.0f : 1.0f;
    EXPECT_EQ(copy_of(value), std::vector<float>(3, first)) << name;
  });
  EXPECT_EQ(names, expected);
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  static_assert(std::is_same_v<decltype(layer.num_batches_tracked()), std::int64_t>);
}

template <class K>
bool register_suite() {
  const std::string name = K::name;
  const std::vector<Case> reference_cases = cases(shapes(), six_layouts);
  add_all(name + "Training", reference_cases, check_training<K>);
  std::vector<Extents> with_one_sample = shapes();
  with_one_sample.insert(with_one_sample.end(), {{1, 3}, {1, 65, 1, 1}});
  const std::array four_layouts = {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::flipped_all};
  add_all(name + "Inference", cases(with_one_sample, four_layouts), check_inference<K>);
  // Several slices and tasks, sets longer than a chunk; too large for every layout.
  const std::array two_layouts = {Layout::contiguous, Layout::channels_last};
  const std::vector<Case> large = cases({{2, 40, 61, 53}, {2, 3, 8209}, {700, 31}}, two_layouts);
  add_all(name + "LargeTraining", large, check_training<K>);
  add_all(name + "LargeInference", large, check_inference<K>);
  add_all(name + "Settings", setting_cases(few_shapes()), check_training<K>);
  add_all(name + "SettingsOfInference", setting_cases(few_shapes()), check_inference<K>);

  std::vector<Case> of_one_type;
  for (const Case& c : cases(few_shapes(), six_layouts)) {
    if (!c.f64) of_one_type.push_back(c);
  }
  add_all(name + "MixedTypes", of_one_type, check_mixed_types<K>);
  add_all(name + "InPlace", cases(few_shapes(), two_layouts), check_in_place<K>);
  add_all(name + "Bits", cases({{5, 3}, {33, 65}, {6, 37, 9, 5}, {2, 3, 67}, {3, 130, 16, 15}}, two_layouts), check_bits<K>);
  add_all(name + "Guarded", cases(few_shapes(), two_layouts), check_guarded<K>);
  add_all(name + "Containment", cases(few_shapes(), two_layouts), check_containment<K>);
  add_all(name + "Constant", cases(few_shapes(), two_layouts), check_constant<K>);
  add_all(name + "HardData", cases(few_shapes(), two_layouts), check_hard_data<K>);
  add_all(name + "ExtremeScales", cases(few_shapes(), two_layouts), check_extreme_scales<K>);

  const std::vector<Extents> small = {{4, 3}, {2, 3, 5}, {1, 3, 4}, {3, 2, 2, 3}, {3, 4, 1}, {2, 1, 3}, {2, 2, 2, 1, 2}};
  for (const Case& c : setting_cases(small)) {
    if (!c.f64) continue;
    add(name + "Differences", name_of(c), [=] { check_differences<K>(c, false); });
    if (K::tracks(c.made_with())) add(name + "FrozenDifferences", name_of(c), [=] { check_differences<K>(c, true); });
  }
  for (const Course& course : courses()) {
    add(name + "FiftySteps", course.name + "_f32", [=] { check_fifty_steps<K, float>(course); });
    add(name + "FiftySteps", course.name + "_f64", [=] { check_fifty_steps<K, double>(course); });
  }
  for (const Extents& extents : std::vector<Extents>{{1, 3}, {1, 3, 1}, {1, 3, 1, 1}, {1, 65, 1, 1, 1}}) {
    add(name + "OneValue", to_string(extents), [=] { check_one_value<K>(extents); });
  }
  for (const Extents& extents : std::vector<Extents>{{0, 3}, {0, 3, 4, 4}, {2, 3, 0}, {2, 0}, {2, 0, 4}, {0, 0}, {0, 3, 0, 2, 2}}) {
    add(name + "Empty", to_string(extents), [=] { check_empty<K>(extents); });
  }
  for (const Layout layout : two_layouts) {
    add(name + "Allocations", norma_test::name_of(layout), [=] { check_allocations<K>(layout); });
  }
  add(name + "Contract", "Errors", check_errors<K>);
  add(name + "Contract", "AbsentDxAndReuse", check_absent_dx_and_reuse<K>);
  add(name + "Contract", "Value", check_value<K>);
  for (const auto& [settings_name, settings] : all_settings()) {
    add(name + "Names", settings_name, [settings = settings] { check_names<K>(settings, K::names(settings)); });
  }
  return true;
}

}  // namespace norma_test::mixed
