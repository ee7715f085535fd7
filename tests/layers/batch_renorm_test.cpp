// BatchRenorm: against its reference, its schedule, what it is without limits, and the errors at its door.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "support/errors.hpp"
#include "support/mixed_suite.hpp"
#include "support/ranks.hpp"

namespace norma_test::mixed {
namespace {

using norma::BatchRenorm;
using norma::RenormLimits;
using norma::RenormSchedule;

struct Renorm {
  template <class T>
  using Layer = BatchRenorm<T>;
  static constexpr const char* name = "BatchRenorm";
  static constexpr bool has_weight = true, has_limits = true, has_authors = false;
  static constexpr bool inference_allocates_nothing = true;

  template <class T>
  static Layer<T> make(norma::index_t channels, const Settings& s) {
    return Layer<T>(
        channels,
        {.eps = s.eps, .momentum = s.momentum, .affine = s.affine, .bias = s.bias, .schedule = RenormSchedule::constant(s.r_max, s.d_max)});
  }
  static bool tracks(const Settings&) { return true; }
  static std::vector<std::string> names(const Settings& s) {
    std::vector<std::string> names = {"running_mean", "running_var"};
    if (s.affine && s.bias) names.insert(names.begin(), "bias");
    if (s.affine) names.insert(names.begin(), "weight");
    return names;
  }
  static MixedAnswer reference(const MixedProblem& p) { return reference::batch_renorm(p); }
  static bool reached(const MixedProblem& p, std::size_t from, std::size_t to) {
    return p.running ? from == to : p.channel_of(from) == p.channel_of(to);
  }
  /// The paper's schedule in fifty steps: BatchNorm for ten, then limits that grow until steps 40 and 25.
  template <class T>
  static void follow_schedule(Layer<T>& layer, MixedProblem& trainer, std::int64_t step) {
    layer.schedule() = {.r_max = 3, .d_max = 5, .begin = 10, .r_end = 40, .d_end = 25};
    const real r = static_cast<real>(step - 10) / 30, d = static_cast<real>(step - 10) / 15;
    trainer.r_max = 1 + 2 * std::clamp(r, real(0), real(1));
    trainer.d_max = 5 * std::clamp(d, real(0), real(1));
  }
};
const bool registered = register_suite<Renorm>();

// --- The schedule ---------------------------------------------------------------------------------------------------------------------

struct Kink {
  std::string name;
  RenormSchedule schedule;
  std::int64_t step;
  double r_max, d_max;
};
void PrintTo(const Kink& k, std::ostream* out) { *out << k.name; }

std::vector<Kink> kinks() {
  const RenormSchedule paper, steep{.r_max = 2, .d_max = 4, .begin = 8, .r_end = 16, .d_end = 12},
      at_once{.r_max = 2, .d_max = 4, .begin = 8, .r_end = 8, .d_end = 8},
      backwards{.r_max = 2, .d_max = 4, .begin = 8, .r_end = 4, .d_end = 6};
  const RenormSchedule constant = RenormSchedule::constant(1.75, 0.25);
  return {
      {"paper_0", paper, 0, 1, 0},
      {"paper_5000", paper, 5000, 1, 0},
      {"paper_5001", paper, 5001, 1 + 2 * (1.0 / 35000), 5 * (1.0 / 20000)},
      {"paper_15000", paper, 15000, 1 + 2 * (10000.0 / 35000), 2.5},
      {"paper_22500", paper, 22500, 2, 5 * (17500.0 / 20000)},
      {"paper_24999", paper, 24999, 1 + 2 * (19999.0 / 35000), 5 * (19999.0 / 20000)},
      {"paper_25000", paper, 25000, 1 + 2 * (20000.0 / 35000), 5},
      {"paper_39999", paper, 39999, 1 + 2 * (34999.0 / 35000), 5},
      {"paper_40000", paper, 40000, 3, 5},
      {"paper_forever", paper, std::numeric_limits<std::int64_t>::max(), 3, 5},
      {"steep_7", steep, 7, 1, 0},
      {"steep_8", steep, 8, 1, 0},
      {"steep_9", steep, 9, 1.125, 1},
      {"steep_11", steep, 11, 1.375, 3},
      {"steep_12", steep, 12, 1.5, 4},
      {"steep_13", steep, 13, 1.625, 4},
      {"steep_15", steep, 15, 1.875, 4},
      {"steep_16", steep, 16, 2, 4},
      {"steep_17", steep, 17, 2, 4},
      {"at_once_7", at_once, 7, 1, 0},
      {"at_once_8", at_once, 8, 2, 4},
      {"at_once_9", at_once, 9, 2, 4},
      {"backwards_3", backwards, 3, 1, 0},
      {"backwards_4", backwards, 4, 2, 0},
      {"backwards_6", backwards, 6, 2, 4},
      {"constant_0", constant, 0, 1.75, 0.25},
      {"constant_1", constant, 1, 1.75, 0.25},
      {"constant_90000", constant, 90000, 1.75, 0.25},
  };
}

class BatchRenormSchedule : public testing::TestWithParam<Kink> {};

/// The interpolation is one product and one sum in double, of either factor first.
TEST_P(BatchRenormSchedule, HasTheseLimits) {
  const Kink& k = GetParam();
  const RenormLimits limits = k.schedule(k.step);
  EXPECT_DOUBLE_EQ(limits.r_max, k.r_max);
  EXPECT_DOUBLE_EQ(limits.d_max, k.d_max);
}

/// A layer at that step trains with these limits: r and d as large as they let it.
TEST_P(BatchRenormSchedule, IsAskedAtEveryForward) {
  const Kink& k = GetParam();
  Settings settings;
  Rig<Renorm, double> rig({6, 3, 2}, {}, settings);
  rig.layer.running_mean()[0] = -1000;
  rig.layer.running_var()[1] = 1e6;
  rig.layer.running_var()[2] = 1e-6;
  rig.layer.schedule() = k.schedule;
  for (std::int64_t step : {k.step, k.step}) {
    rig.layer.set_num_batches_tracked(step);
    MixedProblem p = rig.problem();
    p.r_max = k.r_max;
    p.d_max = k.d_max;
    const MixedAnswer exact = reference::batch_renorm(p);
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    EXPECT_TRUE(within(rig.ty.values(), values_of(exact.y), bounds_of(exact.y, precision_of<double>())));
  }
}
INSTANTIATE_TEST_SUITE_P(All, BatchRenormSchedule, testing::ValuesIn(kinks()), [](const auto& each) { return each.param.name; });

TEST(BatchRenorm, ScheduleByDefaultIsThePapers) {
  const BatchRenorm<float> layer(3);
  const RenormSchedule& schedule = layer.schedule();
  EXPECT_EQ(schedule.r_max, 3);
  EXPECT_EQ(schedule.d_max, 5);
  EXPECT_EQ(schedule.begin, 5000);
  EXPECT_EQ(schedule.r_end, 40000);
  EXPECT_EQ(schedule.d_end, 25000);
  EXPECT_EQ(layer.eps(), 1e-5);
  static_assert(std::is_trivially_copyable_v<RenormSchedule>);
  BatchRenorm<float> small(2, {.momentum = 0.01, .schedule = {.r_max = 3, .d_max = 5}});
  small.schedule().r_max = 7;
  EXPECT_EQ(small.schedule().r_max, 7);
}

/// Before anything is written: y, saved, running statistics.
TEST(BatchRenorm, RefusesLimitsThatLeaveNoRoom) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> x = {1, 2, 3, 5};
  const TensorView<const double> xv(x.data(), {4, 1});
  for (const RenormSchedule& schedule : {RenormSchedule::constant(0.5, 5), RenormSchedule::constant(3, -1),
                                         RenormSchedule::constant(nan, 5), RenormSchedule::constant(3, nan)}) {
    BatchRenorm<double> layer(1, {.schedule = schedule});
    std::vector<double> y(4, 7);
    norma::Saved<double> saved;
    const TensorView<double> yv(y.data(), {4, 1});
    expect_shape_error("BatchRenorm", {"r_max", "d_max", "at least 1 and 0"}, [&] { layer.forward(xv, yv, saved); });
    expect_shape_error("BatchRenorm", {"r_max", "d_max", "at least 1 and 0"}, [&] { layer.forward(LoneRank(), xv, yv, saved); });
    EXPECT_EQ(y, std::vector<double>(4, 7));
    EXPECT_EQ(layer.num_batches_tracked(), 0);
    EXPECT_EQ(layer.running_mean()[0], 0);
    EXPECT_TRUE(saved.mean().empty());
    layer(xv, yv);  // inference asks no schedule
    EXPECT_NE(y[0], 7);
  }
}

TEST(BatchRenorm, MomentumByDefaultIsAHundredth) {
  BatchRenorm<double> layer(1);
  const std::vector<double> x = {1, 3};
  std::vector<double> y(2);
  norma::Saved<double> saved;
  layer.forward(TensorView<const double>(x.data(), {2, 1}), TensorView<double>(y.data(), {2, 1}), saved);
  EXPECT_EQ(layer.running_mean()[0], 0.01 * 2);
  EXPECT_EQ(layer.running_var()[0], (1 - 0.01) * 1 + 0.01 * 2);
}

// --- Identities -----------------------------------------------------------------------------------------------------------------------

class BatchRenormIdentity : public testing::TestWithParam<Case> {};

/// Both within the bound of the same exact answer; gradients and statistics too.
TEST_P(BatchRenormIdentity, WithoutRoomItIsBatchNorm) {
  const Case& c = GetParam();
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    Settings settings = c.made_with();
    settings.r_max = 1;
    settings.d_max = 0;
    Rig<Renorm, T> rig(c.extents, c.where(), settings);
    norma::BatchNorm<T> plain(c.extents[1],
                              {.eps = settings.eps, .momentum = settings.momentum, .affine = settings.affine, .bias = settings.bias});
    randomise(plain, static_cast<std::size_t>(c.extents[1]), 3);
    ASSERT_TRUE(same(state_of(plain), state_of(rig.layer)));
    MixedProblem p = rig.problem();
    for (std::size_t channel = 0; channel < p.channels(); ++channel) {  // far from the batch's, to no effect
      rig.layer.running_mean()[channel] += T(100);
      p.running_mean[channel] = {};
      p.running_var[channel] = Tracked(1);
    }
    const MixedAnswer exact = reference::batch_renorm(p);
    Tensor<T> y(c.extents, c.where()), dx(c.extents, c.where());
    norma::Saved<T> saved;
    plain.forward(rig.tx.view(), y.view(), saved);
    plain.backward(rig.tdy.view(), rig.tx.view(), saved, dx.view());
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    rig.layer.backward(rig.tdy.view(), rig.tx.view(), rig.saved, rig.tdx.view());
    const Precision precision = precision_of<T>();
    EXPECT_TRUE(within(rig.ty.values(), values_of(exact.y), bounds_of(exact.y, precision))) << "y";
    EXPECT_TRUE(within(rig.tdx.values(), values_of(exact.dx), bounds_of(exact.dx, precision))) << "dx";
    EXPECT_TRUE(within(y.values(), values_of(exact.y), bounds_of(exact.y, precision))) << "y of BatchNorm";
    EXPECT_TRUE(within(dx.values(), values_of(exact.dx), bounds_of(exact.dx, precision))) << "dx of BatchNorm";
    expect_gradients(rig.layer, exact, precision);
    expect_gradients(plain, exact, precision);
  });
}

/// Where neither limit is met, training gives what inference gives with the statistics before the update.
TEST_P(BatchRenormIdentity, WithEnoughRoomItIsInference) {
  const Case& c = GetParam();
  with_type(c, [&](auto zero) {
    using T = decltype(zero);
    Settings settings = c.made_with();
    settings.r_max = settings.d_max = 1e9;
    Rig<Renorm, T> rig(c.extents, c.where(), settings);
    const MixedAnswer inference = reference::batch_renorm(rig.problem(true)), training = reference::batch_renorm(rig.problem());
    rig.layer.forward(rig.tx.view(), rig.ty.view(), rig.saved);
    // The way over the batch's own statistics costs the rounding of both.
    std::vector<real> bounds = bounds_of(inference.y, precision_of<T>());
    const std::vector<real> detour = bounds_of(training.y, precision_of<T>());
    for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] += detour[i];
    EXPECT_TRUE(within(rig.ty.values(), values_of(inference.y), bounds));
  });
}
INSTANTIATE_TEST_SUITE_P(All, BatchRenormIdentity, testing::ValuesIn(cases(few_shapes(), six_layouts)), Named());

}  // namespace
}  // namespace norma_test::mixed
