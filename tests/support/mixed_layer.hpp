// What the tests of BatchRenorm, SwitchableNorm, BatchInstanceNorm and MeanOnlyBatchNorm share: cases, runs of a layer, comparisons.
//
// A Kind describes one of them: `template <class T> using Layer`, name, `make<T>(channels, Form)`, reference(problem), and what is
// particular to it: tracks(settings), has_weight, has_limits, has_authors, reached(problem, from, to).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <norma/interop/openmp.hpp>
#include <norma/norma.hpp>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/finite_differences.hpp"
#include "support/mixed_reference.hpp"

namespace norma_test::mixed {

using norma::TensorView;
using reference::MixedAnswer;
using reference::MixedProblem;

/// What a layer is made with. Each takes what it knows.
struct Settings {
  bool affine = true, bias = true, tracks = true, authors = false;
  double eps = 1e-3;
  std::optional<double> momentum = 0.25;
  double r_max = 1.5, d_max = 0.5;
};

inline const std::vector<std::pair<std::string, Settings>>& all_settings() {
  static const std::vector<std::pair<std::string, Settings>> list = {
      {"affine", {}},
      {"authors_clipped_hard", {.authors = true, .momentum = std::nullopt, .r_max = 1.01, .d_max = 0.01}},
      {"without_bias", {.bias = false, .eps = 0.25}},
      {"plain_unclipped", {.affine = false, .bias = false, .r_max = 1e6, .d_max = 1e6}},
      {"without_tracking", {.tracks = false, .eps = 1e-5, .r_max = 1, .d_max = 0}},
  };
  return list;
}

struct Case {
  Extents extents;
  Layout layout = Layout::contiguous;
  bool f64 = false;
  std::size_t settings = 0;

  const Settings& made_with() const { return all_settings()[settings].second; }
  Where where() const {
    Where w;
    w.layout = layout;
    return w;
  }
};
inline std::string name_of(const Case& c) {
  return to_string(c.extents) + "_" + norma_test::name_of(c.layout) + (c.f64 ? "_f64_" : "_f32_") + all_settings()[c.settings].first;
}
inline void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c); }

struct Named {
  std::string operator()(const testing::TestParamInfo<Case>& info) const { return name_of(info.param); }
};

/// Ranks 2 to 5; extents 1, 2, 3, primes and a power of two with its neighbour; planes of one element; one sample.
inline std::vector<Extents> shapes() {
  return {{2, 3},       {5, 1},         {33, 65},       {2, 130},       {5, 64},         {2, 3, 7},       {1, 3, 5},      {5, 64, 3},
          {2, 1, 13},   {33, 3, 1},     {2, 3, 4, 5},   {2, 64, 7, 7},  {1, 130, 2, 3},  {3, 65, 1, 1},   {33, 3, 2, 2},  {5, 1, 1, 31},
          {2, 3, 1, 4}, {2, 130, 3, 1}, {5, 65, 2, 11}, {3, 2, 17, 19}, {2, 3, 2, 3, 4}, {1, 2, 3, 1, 2}, {2, 5, 1, 1, 1}};
}
inline std::vector<Extents> few_shapes() {
  return {{5, 3}, {33, 65}, {2, 5, 7}, {1, 3, 4, 5}, {3, 65, 1, 1}, {2, 33, 5, 3}, {2, 3, 2, 3, 4}};
}

inline constexpr std::array six_layouts = {Layout::contiguous, Layout::channels_last, Layout::rotated,
                                           Layout::sliced,     Layout::padded,        Layout::flipped_all};

template <class Layouts>
std::vector<Case> cases(const std::vector<Extents>& all_extents, const Layouts& layouts) {
  std::vector<Case> result;
  std::size_t settings = 0;
  for (const Extents& extents : all_extents) {
    for (const Layout layout : layouts) {
      for (const bool f64 : {false, true}) result.push_back({extents, layout, f64, settings++ % all_settings().size()});
      ++settings;
    }
  }
  return result;
}
/// Every setting for each shape.
inline std::vector<Case> setting_cases(const std::vector<Extents>& all_extents) {
  std::vector<Case> result;
  for (const Extents& extents : all_extents) {
    for (std::size_t s = 0; s < all_settings().size(); ++s) {
      for (const bool f64 : {false, true}) result.push_back({extents, s % 2 == 0 ? Layout::contiguous : Layout::channels_last, f64, s});
    }
  }
  return result;
}

template <class F>
void with_type(const Case& c, F f) {
  if (c.f64) {
    f(double());
  } else {
    f(float());
  }
}

// --- A layer with its parameters and data --------------------------------------------------------------------------------------------

template <class T>
std::vector<std::remove_const_t<T>> copy_of(std::span<T> values) {
  return {values.begin(), values.end()};
}
template <class T>
reference::Numbers numbers(std::span<T> values) {
  return {values.begin(), values.end()};
}
template <class T>
void set(std::span<T> to, const std::vector<T>& values) {
  std::copy_n(values.begin(), to.size(), to.begin());
}

/// Random parameters and running statistics, unlike those of any batch but of the same size.
template <class Layer>
void randomise(Layer& layer, std::size_t channels, std::uint64_t seed) {
  using T = typename decltype(layer.bias())::value_type;
  const auto values = [&](std::size_t n, double mean, double sigma) { return random_values<T>(n, ++seed, mean, sigma); };
  if constexpr (requires { layer.weight(); }) set(layer.weight(), random_parameters<T>(channels, ++seed));
  set(layer.bias(), random_parameters<T>(channels, ++seed));
  if constexpr (requires { layer.gate(); }) set(layer.gate(), values(channels, 0.5, 0.4));  // some outside [0, 1]
  if constexpr (requires { layer.mean_logits(); }) {
    set(layer.mean_logits(), values(3, 0.5, 1));
    set(layer.var_logits(), values(3, 0.5, 1));
  }
  if (!layer.running_mean().empty()) set(layer.running_mean(), values(channels, 2, 1));
  if constexpr (requires { layer.running_var(); }) {
    if (!layer.running_var().empty()) set(layer.running_var(), values(channels, 2, 0.5));
  }
}

/// Every number that a layer has and a call may change, in one row.
template <class Layer>
auto state_of(Layer& layer) {
  using T = typename decltype(layer.bias())::value_type;
  std::vector<T> all;
  layer.for_each_parameter([&](std::string_view, std::span<T> value, std::span<T> grad) {
    all.insert(all.end(), value.begin(), value.end());
    all.insert(all.end(), grad.begin(), grad.end());
  });
  layer.for_each_buffer([&](std::string_view, std::span<T> value) { all.insert(all.end(), value.begin(), value.end()); });
  all.push_back(static_cast<T>(layer.num_batches_tracked()));
  return all;
}

/// The question to the reference, as the layer's parameters are now.
template <class Layer, class X, class DY>
MixedProblem problem_of(const Layer& layer, const Settings& settings, const Extents& extents, const std::vector<X>& x,
                        const std::vector<DY>& dy) {
  MixedProblem p;
  p.extents = extents;
  p.eps = settings.eps;
  p.x.assign(x.begin(), x.end());
  p.dy.assign(dy.begin(), dy.end());
  p.weight.assign(p.channels(), Tracked(1));
  p.bias.assign(p.channels(), Tracked(0));
  if constexpr (requires { layer.weight(); }) {
    if (!layer.weight().empty()) p.weight = numbers(layer.weight());
  }
  if (!layer.bias().empty()) p.bias = numbers(layer.bias());
  if constexpr (requires { layer.gate(); }) p.gate = numbers(layer.gate());
  if constexpr (requires { layer.mean_logits(); }) {
    p.mean_logits = numbers(layer.mean_logits());
    p.var_logits = numbers(layer.var_logits());
    p.unbiased_instance = settings.authors;
  }
  p.running_mean = numbers(layer.running_mean());
  if constexpr (requires { layer.running_var(); }) p.running_var = numbers(layer.running_var());
  if constexpr (requires { layer.gate(); }) {
    // Two centres become one; what that costs is the bound's kappa term, as for a mean that is computed.
    for (std::size_t c = 0; c < p.running_mean.size(); ++c) {
      const real mean = p.running_mean[c].value;
      p.running_mean[c].error = 2 * std::sqrt(mean * mean + p.running_var[c].value);
    }
  }
  p.r_max = settings.r_max;
  p.d_max = settings.d_max;
  return p;
}

/// A layer of random parameters, and random data in tensors of one layout. T: parameters; X: x and dx; Y: y and dy.
template <class K, class T, class X = T, class Y = T>
struct Rig {
  using Layer = typename K::template Layer<T>;

  Rig(const Extents& e, Where at, const Settings& s, std::uint64_t seed = 1, double mean = 2, double sigma = 1)
      : Rig(e, at, s, random_values<X>(count(e), seed, mean, sigma), seed) {}
  Rig(const Extents& e, Where at, const Settings& s, std::vector<X> x_values, std::uint64_t seed = 1)
      : extents(e),
        where(at),
        settings(s),
        x(std::move(x_values)),
        dy(random_values<Y>(count(e), seed + 1)),
        layer(K::template make<T>(e[1], s)),
        tx(e, at, x),
        tdx(e, at),
        ty(e, at),
        tdy(e, at, dy) {
    randomise(layer, static_cast<std::size_t>(e[1]), seed + 2);
  }

  MixedProblem problem(bool running = false) const {
    MixedProblem p = problem_of(layer, settings, extents, x, dy);
    p.running = running && K::tracks(settings);
    return p;
  }
  bool tracks() const { return K::tracks(settings); }
  void expect_inputs_and_surroundings_untouched() {
    EXPECT_TRUE(same(tx.values(), x) && same(tdy.values(), dy)) << "an input changed";
    EXPECT_TRUE(tx.surroundings_untouched() && ty.surroundings_untouched() && tdx.surroundings_untouched());
  }

  Extents extents;
  Where where;
  Settings settings;
  std::vector<X> x;
  std::vector<Y> dy;
  Layer layer;
  Tensor<X> tx, tdx;
  Tensor<Y> ty, tdy;
  norma::Saved<T> saved;
};

/// All gradients of a layer's parameters against the reference; `calls`: so many backward passes have been added up.
template <class Layer>
void expect_gradients(Layer& layer, const MixedAnswer& exact, const Precision& precision, int calls = 1) {
  using T = typename decltype(layer.bias())::value_type;
  std::size_t seen = 0;
  layer.for_each_parameter([&](std::string_view name, std::span<T>, std::span<T> grad) {
    const reference::Numbers* const wanted = name == "weight"        ? &exact.dweight
                                             : name == "bias"        ? &exact.dbias
                                             : name == "gate"        ? &exact.dgate
                                             : name == "mean_weight" ? &exact.dmean_logits
                                             : name == "var_weight"  ? &exact.dvar_logits
                                                                     : nullptr;
    ASSERT_NE(wanted, nullptr) << name;
    reference::Numbers sum = *wanted;
    for (int call = 1; call < calls; ++call) {
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += (*wanted)[i];
    }
    EXPECT_TRUE(within(copy_of(grad), values_of(sum), bounds_of(sum, precision))) << "gradient of " << name;
    ++seen;
  });
  EXPECT_TRUE(seen > 0 || layer.bias().empty());
}

/// What running statistics are after one step: (1 - take) * before + take * batch, rounded to the parameters' type.
inline reference::Numbers blended(const reference::Numbers& before, const reference::Numbers& batch, real take) {
  reference::Numbers after;
  for (std::size_t c = 0; c < before.size(); ++c) after.push_back(Tracked(1 - take) * before[c] + Tracked(take) * batch[c]);
  return after;
}
/// The variance that running statistics learn: the unbiased estimate, but of SwitchableNorm's authors, who take theirs as it is.
template <class K>
reference::Numbers learned_variance(const MixedProblem& p, const MixedAnswer& exact, const Settings& settings) {
  const real m = static_cast<real>(p.batch() * p.plane());
  reference::Numbers result;
  for (const Tracked& v : exact.variance) result.push_back(K::has_authors && settings.authors ? v : v * Tracked(m / (m - 1)));
  return result;
}

// --- Properties ----------------------------------------------------------------------------------------------------------------------

/// A training step: y, dx, all gradients (twice, as they add up), running statistics.
template <class K, class T, class X = T, class Y = T>
void expect_training_correct(Rig<K, T, X, Y>& rig) {
  const MixedProblem p = rig.problem();
  const MixedAnswer exact = K::reference(p);
  const Precision forward = precision_of<norma::Wider<T, X>, Y>(), of_parameters = precision_of<T>();
  const Precision backward = precision_from_saved<T, norma::Wider<T, X>, X>();
  rig.layer.set_num_batches_tracked(3);
  rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  EXPECT_TRUE(within(rig.ty.values(), values_of(exact.y), bounds_of(exact.y, forward))) << "y";
  rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  EXPECT_TRUE(within(rig.tdx.values(), values_of(exact.dx), bounds_of(exact.dx, backward))) << "dx";
  expect_gradients(rig.layer, exact, of_parameters);
  const std::vector<X> dx = rig.tdx.values();
  rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  EXPECT_TRUE(same(rig.tdx.values(), dx)) << "dx of a second backward";
  expect_gradients(rig.layer, exact, of_parameters, 2);
  rig.expect_inputs_and_surroundings_untouched();

  if (rig.tracks()) {
    const real take = rig.settings.momentum ? static_cast<real>(*rig.settings.momentum) : real(1) / 4;
    const reference::Numbers mean = blended(p.running_mean, exact.mean, take);
    EXPECT_TRUE(within(copy_of(rig.layer.running_mean()), values_of(mean), bounds_of(mean, of_parameters))) << "running_mean";
    if constexpr (requires { rig.layer.running_var(); }) {
      if (!rig.layer.running_var().empty()) {
        const reference::Numbers variance = blended(p.running_var, learned_variance<K>(p, exact, rig.settings), take);
        EXPECT_TRUE(within(copy_of(rig.layer.running_var()), values_of(variance), bounds_of(variance, of_parameters))) << "running_var";
      }
    }
    EXPECT_EQ(rig.layer.num_batches_tracked(), 4);
  } else {
    EXPECT_EQ(rig.layer.num_batches_tracked(), 3);
  }
  rig.layer.zero_grad();
  rig.layer.for_each_parameter([](std::string_view name, std::span<T>, std::span<T> grad) {
    for (const T g : grad) EXPECT_EQ(g, T(0)) << name;
  });
}

/// A training step of a mixed norm whose switches leave one plain norm of it: that norm's answer, within the bounds of the mixed one's.
template <class K, class T>
MixedAnswer expect_plain_norm(Rig<K, T>& rig, reference::Answer (*plain)(const reference::Problem&)) {
  Setting s;
  s.extents = rig.extents;
  s.axes.clear();
  s.eps = rig.settings.eps;
  s.weight = rig.layer.weight().empty() ? Form::absent : Form::normalized;
  s.bias = rig.layer.bias().empty() ? Form::absent : Form::normalized;
  Inputs<T, T, T> in;
  in.x = rig.x;
  in.dy = rig.dy;
  in.weight = copy_of(rig.layer.weight());
  in.bias = copy_of(rig.layer.bias());
  const reference::Answer exact = plain(problem(s, in));
  const MixedAnswer here = K::reference(rig.problem());
  const Precision precision = precision_of<T>();
  rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
  rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  EXPECT_TRUE(within(rig.ty.values(), exact.y, bounds_of(here.y, precision))) << "y";
  EXPECT_TRUE(within(rig.tdx.values(), exact.dx, bounds_of(here.dx, precision))) << "dx";
  EXPECT_TRUE(within(copy_of(rig.layer.weight_grad()), exact.dweight, bounds_of(here.dweight, precision))) << "dweight";
  EXPECT_TRUE(within(copy_of(rig.layer.bias_grad()), exact.dbias, bounds_of(here.dbias, precision))) << "dbias";
  return here;
}

/// Inference and the backward of it; without tracking, that inference is the training forward, and has no backward.
template <class K, class T, class X = T, class Y = T>
void expect_inference_correct(Rig<K, T, X, Y>& rig) {
  const MixedProblem p = rig.problem(true);
  const MixedAnswer exact = K::reference(p);
  const auto before = state_of(rig.layer);
  std::as_const(rig.layer)(rig.tx.view(), rig.ty.view());
  EXPECT_TRUE(same(state_of(rig.layer), before)) << "inference changed the layer";
  EXPECT_TRUE(within(rig.ty.values(), values_of(exact.y), bounds_of(exact.y, precision_of<norma::Wider<T, X>, Y>()))) << "y";
  if (!rig.tracks()) {
    const std::vector<Y> inferred = rig.ty.values();
    if (K::has_weight && p.batch() * p.plane() == 1) return;  // no training with one value per channel
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    EXPECT_TRUE(same(rig.ty.values(), inferred)) << "batch statistics in training and inference";
    expect_shape_error(K::name, {"backward_frozen", "running statistics"},
                       [&] { rig.layer.backward_frozen(rig.tdy.view(), rig.tx.view(), rig.tdx.view()); });
    EXPECT_TRUE(same(state_of(rig.layer), before));
    return;
  }
  rig.layer.backward_frozen(rig.tdy.view(), rig.tx.view(), rig.tdx.view());
  EXPECT_TRUE(within(rig.tdx.values(), values_of(exact.dx), bounds_of(exact.dx, precision_from_saved<T, norma::Wider<T, X>, X>()))) << "dx";
  expect_gradients(rig.layer, exact, precision_of<T>());
  rig.layer.backward_frozen(rig.tdy.view(), rig.tx.view(), TensorView<X>());
  expect_gradients(rig.layer, exact, precision_of<T>(), 2);
  rig.expect_inputs_and_surroundings_untouched();
}

template <class K>
void check_training(const Case& c) {
  with_type(c, [&](auto zero) {
    Rig<K, decltype(zero)> rig(c.extents, c.where(), c.made_with());
    expect_training_correct(rig);
  });
}
template <class K>
void check_inference(const Case& c) {
  with_type(c, [&](auto zero) {
    Rig<K, decltype(zero)> rig(c.extents, c.where(), c.made_with());
    expect_inference_correct(rig);
  });
}

/// x as float and y as double, and the other way round, for both types of parameters.
template <class K>
void check_mixed_types(const Case& c) {
  const auto both = [&]<class T, class X, class Y>(T, X, Y) {
    Rig<K, T, X, Y> training(c.extents, c.where(), c.made_with()), inference(c.extents, c.where(), c.made_with());
    expect_training_correct(training);
    expect_inference_correct(inference);
  };
  both(float(), float(), double());
  both(float(), double(), float());
  both(double(), float(), float());
}

/// y written to x, dx to dy and to x: the same bits as elsewhere.
template <class K>
void check_in_place(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    Rig<K, T> rig(c.extents, c.where(), c.made_with());
    typename Rig<K, T>::Layer layer = rig.layer;
    const auto at = [&](const std::vector<T>& values) { return Tensor<T>(c.extents, c.where(), values); };

    layer(rig.tx.view(), rig.ty.view());
    Tensor<T> y = at(rig.x);
    layer(y.view(), y.view());
    EXPECT_TRUE(same(y.values(), rig.ty.values())) << "inference";
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    Tensor<T> trained = at(rig.x);
    norma::Saved<T> saved;
    layer.forward(trained.view(), trained.view(), saved);
    EXPECT_TRUE(same(trained.values(), rig.ty.values())) << "training forward";

    rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
    Tensor<T> over_dy = at(rig.dy), over_x = at(rig.x);
    layer.backward(over_dy.view(), rig.tx.view(), saved, over_dy.view());
    EXPECT_TRUE(same(state_of(layer), state_of(rig.layer))) << "gradients and statistics";
    layer.backward(rig.tdy.view(), over_x.view(), saved, over_x.view());
    EXPECT_TRUE(same(over_dy.values(), rig.tdx.values())) << "dx over dy";
    EXPECT_TRUE(same(over_x.values(), rig.tdx.values())) << "dx over x";
    if (!rig.tracks()) return;
    rig.layer.backward_frozen(rig.tdy.view(), rig.tx.view(), rig.tdx.view());
    Tensor<T> frozen_dy = at(rig.dy), frozen_x = at(rig.x);
    layer.backward_frozen(frozen_dy.view(), rig.tx.view(), frozen_dy.view());
    layer.backward_frozen(rig.tdy.view(), frozen_x.view(), frozen_x.view());
    EXPECT_TRUE(same(frozen_dy.values(), rig.tdx.values())) << "frozen dx over dy";
    EXPECT_TRUE(same(frozen_x.values(), rig.tdx.values())) << "frozen dx over x";
  });
}

/// All results of one training step, inference and frozen backward on an executor, in one row.
template <class K, class T, class E>
std::vector<T> everything_on(const E& executor, const Case& c, Where where) {
  Rig<K, T> rig(c.extents, where, c.made_with());
  std::vector<T> all;
  const auto add = [&](const std::vector<T>& values) { all.insert(all.end(), values.begin(), values.end()); };
  rig.layer(executor, rig.tx.view(), rig.ty.view());
  add(rig.ty.values());
  rig.layer.forward(executor, rig.tx.view(), rig.ty.view(), rig.saved);
  add(rig.ty.values());
  add(copy_of(rig.saved.mean()));
  add(copy_of(rig.saved.rstd()));
  rig.layer.backward(executor, rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  add(rig.tdx.values());
  if (rig.tracks()) {
    rig.layer.backward_frozen(executor, rig.tdy.view(), rig.tx.view(), rig.tdx.view());
    add(rig.tdx.values());
  }
  add(state_of(rig.layer));
  rig.expect_inputs_and_surroundings_untouched();
  return all;
}

/// Executors, streaming stores and alignments change no bit.
template <class K>
void check_bits(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    Where where = c.where();
    const std::vector<T> expected = everything_on<K, T>(norma::sequential, c, where);
    EXPECT_TRUE(same(everything_on<K, T>(PoolOf(norma::openmp(2)), c, where), expected)) << "two threads";
    EXPECT_TRUE(same(everything_on<K, T>(ShuffledPool(7), c, where), expected)) << "seven tasks in any order";
    EXPECT_TRUE(same(everything_on<K, T>(ThreadPool(3), c, where), expected)) << "three threads";
    EXPECT_TRUE(same(everything_on<K, T>(norma::sequential.with(norma::Streaming::always), c, where), expected)) << "streaming stores";
    for (const std::ptrdiff_t misalignment : {1, 3}) {
      where.misalignment = misalignment;
      EXPECT_TRUE(same(everything_on<K, T>(norma::sequential, c, where), expected)) << misalignment << " elements off";
    }
  });
}

/// Tensors that end right before an inaccessible page, or begin right behind one.
template <class K>
void check_guarded(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    Where where = c.where();
    const std::vector<T> expected = everything_on<K, T>(norma::sequential, c, where);
    for (const Placement placement : {Placement::at_page_start, Placement::at_page_end}) {
      where.placement = placement;
      EXPECT_TRUE(same(everything_on<K, T>(norma::sequential, c, where), expected));
    }
  });
}

/// Central differences of a loss sum(dy * y), for x and every parameter. r and d of BatchRenorm, constants of backward, are made so by
/// running statistics far beyond the limits; eps bounds the steepness of all sets.
template <class K>
void check_differences(const Case& c, bool frozen) {
  using T = double;
  Settings settings = c.made_with();
  settings.eps = 0.25;
  settings.r_max = 1.25;
  settings.d_max = 0.5;
  Rig<K, T> rig(c.extents, c.where(), settings, 1, 2, 2);
  if (K::has_limits) {
    for (std::size_t channel = 0; channel < rig.layer.running_mean().size(); ++channel) {
      rig.layer.running_mean()[channel] = channel % 2 == 0 ? 5e4 : -5e4;
      if constexpr (requires { rig.layer.running_var(); }) rig.layer.running_var()[channel] = channel % 3 == 0 ? 1e4 : 0;
    }
  }
  typename Rig<K, T>::Layer moved = rig.layer;  // whose parameters are moved to and fro
  const auto loss = [&] {
    typename Rig<K, T>::Layer layer = moved;
    Tensor<T> x(c.extents, c.where(), rig.x), y(c.extents, c.where());
    norma::Saved<T> saved;
    if (frozen) {
      layer(x.view(), y.view());
    } else {
      layer.forward(x.view(), y.view(), saved);
    }
    const std::vector<T> values = y.values();
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += values[i] * rig.dy[i];
    return sum;
  };
  double size = 0;
  if (frozen) {
    rig.layer.backward_frozen(rig.tdy.view(), rig.tx.view(), rig.tdx.view());
    rig.layer(rig.tx.view(), rig.ty.view());
  } else {
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
  }
  const std::vector<T> y = rig.ty.values(), dx = rig.tdx.values();
  for (std::size_t i = 0; i < y.size(); ++i) size += std::abs(rig.dy[i]) * (1 + std::abs(y[i]));
  const double error = difference_error(size, 1 / std::sqrt(settings.eps));
  const auto expect_close = [&](const std::vector<T>& gradient, const std::vector<double>& difference, std::string_view what) {
    ASSERT_EQ(gradient.size(), difference.size());
    for (std::size_t i = 0; i < gradient.size(); ++i) EXPECT_NEAR(gradient[i], difference[i], error) << what << " " << i;
  };
  expect_close(dx, finite_differences(rig.x, loss), "x");
  std::vector<std::vector<T>> gradients;
  rig.layer.for_each_parameter([&](std::string_view, std::span<T>, std::span<T> grad) { gradients.push_back(copy_of(grad)); });
  std::size_t parameter = 0;
  moved.for_each_parameter([&](std::string_view name, std::span<T> value, std::span<T>) {
    std::vector<double> values = copy_of(std::span<T>(value));
    const auto differences = finite_differences(values, [&] {
      set(value, values);
      return loss();
    });
    expect_close(gradients[parameter++], differences, name);
    set(value, values);
  });
}

// --- Special values ------------------------------------------------------------------------------------------------------------------

/// A NaN or Inf spoils the elements that K::reached says, and changes no bit of any other.
template <class K>
void check_containment(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    for (const T poison : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()}) {
      Rig<K, T> clean(c.extents, c.where(), c.made_with());
      const std::size_t at = clean.x.size() / 2;
      std::vector<T> x = clean.x;
      x[at] = poison;
      Rig<K, T> dirty(c.extents, c.where(), c.made_with(), x);
      for (const bool training : {false, true}) {
        SCOPED_TRACE(std::to_string(poison) + (training ? ", training" : ", inference"));
        const auto run = [&](Rig<K, T>& rig) {
          if (training) {
            rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
          } else {
            rig.layer(rig.tx.view(), rig.ty.view());
          }
          return rig.ty.values();
        };
        const std::vector<T> expected = run(clean), actual = run(dirty);
        const MixedProblem p = clean.problem(!training);
        for (std::size_t i = 0; i < x.size(); ++i) {
          // A weight of 0 does not turn NaN into a number either, nor does it Inf.
          if (K::reached(p, at, i)) {
            EXPECT_FALSE(std::isfinite(actual[i])) << "at " << i;
          } else {
            EXPECT_TRUE(same_bits(actual[i], expected[i])) << "at " << i;
          }
        }
      }
    }
  });
}

/// All elements equal: x_hat is exactly 0, whatever the value.
template <class K>
void check_constant(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    for (const double value : {0.0, 3.1415926, -1e4, 1e-3, 16777216.0}) {
      Rig<K, T> rig(c.extents, c.where(), c.made_with(), std::vector<T>(count(c.extents), static_cast<T>(value)));
      if (K::has_limits) std::ranges::fill(rig.layer.running_mean(), static_cast<T>(value));  // so that d is 0
      rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
      const std::vector<T> y = rig.ty.values();
      const MixedProblem p = rig.problem();
      for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(static_cast<real>(y[i]), p.bias[p.channel_of(i)].value) << value << " at " << i;
      rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
      for (const T dx : rig.tdx.values()) EXPECT_TRUE(std::isfinite(dx));
    }
  });
}

/// mean = 1e4 and 1e6 sigma, and eps = 0.
template <class K>
void check_hard_data(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    for (const double mean : {1e4, -1e6}) {
      SCOPED_TRACE(mean);
      Rig<K, T> training(c.extents, c.where(), c.made_with(), 1, mean), inference(c.extents, c.where(), c.made_with(), 1, mean);
      expect_training_correct(training);
      expect_inference_correct(inference);
    }
    Settings settings = c.made_with();
    settings.eps = 0;
    Rig<K, T> training(c.extents, c.where(), settings), inference(c.extents, c.where(), settings);
    expect_training_correct(training);
    expect_inference_correct(inference);
  });
}

/// Elements of a size whose squares T just holds.
template <class K>
void check_extreme_scales(const Case& c) {
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    for (const double scale : {sizeof(T) == 4 ? 1e15 : 1e150, sizeof(T) == 4 ? 1e-15 : 1e-150}) {
      SCOPED_TRACE(scale);
      Settings settings = c.made_with();
      if (scale < 1) settings.eps = 0;
      Rig<K, T> rig(c.extents, c.where(), settings, 1, 2 * scale, scale);
      const MixedAnswer exact = K::reference(rig.problem());
      rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
      EXPECT_TRUE(within(rig.ty.values(), values_of(exact.y), bounds_of(exact.y, precision_of<T>())));
    }
  });
}

// --- Fifty steps ---------------------------------------------------------------------------------------------------------------------

struct Course {
  std::string name;
  Settings settings;
  double rate = 0;  // of gradient descent on the layer's own parameters
};
inline void PrintTo(const Course& c, std::ostream* out) { *out << c.name; }

inline std::vector<Course> courses() {
  std::vector<Course> all;
  const std::pair<const char*, std::optional<double>> momenta[] = {
      {"momentum_0", 0.0}, {"momentum_1", 0.01}, {"momentum_10", 0.1}, {"momentum_100", 1.0}, {"cumulative", std::nullopt}};
  for (const auto& [name, momentum] : momenta) {
    for (const bool authors : {false, true}) {
      for (const double rate : {0.0, 0.01}) {
        Settings settings;
        settings.authors = authors;
        settings.momentum = momentum;
        settings.bias = !authors;
        all.push_back({std::string(name) + (authors ? "_authors_without_bias" : "") + (rate > 0 ? "_learning" : ""), settings, rate});
      }
    }
  }
  return all;
}

/// A gradient step in long double, and one in the layer's.
inline void descend(reference::Numbers& parameter, const reference::Numbers& gradient, double rate) {
  for (std::size_t i = 0; i < parameter.size(); ++i) parameter[i] = parameter[i] - Tracked(rate) * gradient[i];
}

/// Fifty training steps over batches of changing size, layout and distribution, one empty batch among them: y of every step, statistics
/// and all parameters, against a second trainer that shares nothing with the layer but the data.
template <class K, class T>
void check_fifty_steps(const Course& course) {
  const norma::index_t channels = 5;
  const Settings& settings = course.settings;
  auto layer = K::template make<T>(channels, settings);
  randomise(layer, 5, 40);
  MixedProblem trainer = problem_of(layer, settings, {1, channels, 1}, std::vector<T>(5), std::vector<T>(5));
  norma::Saved<T> saved;
  std::int64_t batches = 0;
  const Precision precision = precision_of<T>();
  for (std::size_t step = 0; step < 50; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    const auto n = static_cast<std::ptrdiff_t>(step % 7 == 3 ? 33 : 2 + step % 4), s = static_cast<std::ptrdiff_t>(1 + step % 3);
    const Extents extents = step == 20 ? Extents{0, channels, 4} : step % 5 == 0 ? Extents{n, channels} : Extents{n, channels, 2, s};
    Where where;
    where.layout = six_layouts[step % six_layouts.size()];
    const auto x = random_values<T>(count(extents), 100 + step, 1 + 0.05 * static_cast<double>(step), 1 + 0.02 * static_cast<double>(step));
    const auto dy = random_values<T>(count(extents), 200 + step);
    Tensor<T> tx(extents, where, x), ty(extents, where), tdx(extents, where), tdy(extents, where, dy);
    if constexpr (K::has_limits) K::follow_schedule(layer, trainer, batches);
    layer.forward(tx.view(), ty.view(), saved);
    layer.zero_grad();
    layer.backward(tdy.view(), tx.view(), saved, tdx.view());
    if (count(extents) == 0) {
      EXPECT_EQ(layer.num_batches_tracked(), batches);
      continue;
    }
    trainer.extents = extents;
    trainer.x.assign(x.begin(), x.end());
    trainer.dy.assign(dy.begin(), dy.end());
    const MixedAnswer exact = K::reference(trainer);
    ASSERT_TRUE(within(ty.values(), values_of(exact.y), bounds_of(exact.y, precision))) << "y";
    ASSERT_TRUE(within(tdx.values(), values_of(exact.dx), bounds_of(exact.dx, precision))) << "dx";

    ++batches;
    const real take = settings.momentum ? static_cast<real>(*settings.momentum) : 1 / static_cast<real>(batches);
    trainer.running_mean = blended(trainer.running_mean, exact.mean, take);
    ASSERT_TRUE(within(copy_of(layer.running_mean()), values_of(trainer.running_mean), bounds_of(trainer.running_mean, precision)));
    if constexpr (requires { layer.running_var(); }) {
      if (!trainer.running_var.empty()) {
        trainer.running_var = blended(trainer.running_var, learned_variance<K>(trainer, exact, settings), take);
        ASSERT_TRUE(within(copy_of(layer.running_var()), values_of(trainer.running_var), bounds_of(trainer.running_var, precision)));
      }
    }
    ASSERT_EQ(layer.num_batches_tracked(), batches);

    layer.for_each_parameter([&](std::string_view, std::span<T> value, std::span<T> grad) {
      for (std::size_t i = 0; i < value.size(); ++i) value[i] -= static_cast<T>(course.rate) * grad[i];
    });
    const auto rate = static_cast<double>(static_cast<T>(course.rate));
    descend(trainer.weight, exact.dweight, K::has_weight ? rate : 0);
    descend(trainer.bias, exact.dbias, settings.bias ? rate : 0);
    if (!trainer.mean_logits.empty()) {
      descend(trainer.mean_logits, exact.dmean_logits, rate);
      descend(trainer.var_logits, exact.dvar_logits, rate);
    }
    if (!trainer.gate.empty()) {
      descend(trainer.gate, exact.dgate, rate);
      for (Tracked& g : trainer.gate) g = clipped(g, 0, 1);
      if constexpr (requires { layer.clamp_gate(); }) layer.clamp_gate();
    }
  }
  // What all this allows for in the end is still nothing but rounding, in double at least.
  for (const Tracked& m : trainer.running_mean) EXPECT_LT(m.error * 0x1p-52L, 1e-6L);
}

}  // namespace norma_test::mixed
