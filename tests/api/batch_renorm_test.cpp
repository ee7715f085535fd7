// BatchRenorm: its schedule, what it is without room, its defaults, and the limits it refuses.
#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "api/layers.hpp"
#include "support/ranks.hpp"

namespace norma_test { namespace {

using norma::BatchRenorm;
using norma::RenormLimits;
using norma::RenormSchedule;

struct Kink {
  std::string name;
  RenormSchedule schedule;
  std::int64_t step;
  RenormLimits limits;
};
void PrintTo(const Kink& k, std::ostream* out) { *out << k.name; }

std::vector<Kink> kinks() {
  std::vector<Kink> all;
  const auto add = [&](const std::string& name, const RenormSchedule& schedule, const std::vector<std::array<double, 3>>& rows) {
    for (const auto& [step, r_max, d_max] : rows) {
      const std::int64_t n = step < 0 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(step);
      all.push_back({name + "_" + std::to_string(n), schedule, n, {r_max, d_max}});
    }
  };
  const auto part = [](double of, double whole) { return of / whole; };
  add("paper", {},
      {{0, 1, 0},
       {5000, 1, 0},
       {5001, 1 + 2 * part(1, 35000), 5 * part(1, 20000)},
       {15000, 1 + 2 * part(10000, 35000), 2.5},
       {22500, 2, 5 * part(17500, 20000)},
       {24999, 1 + 2 * part(19999, 35000), 5 * part(19999, 20000)},
       {25000, 1 + 2 * part(20000, 35000), 5},
       {39999, 1 + 2 * part(34999, 35000), 5},
       {40000, 3, 5},
       {-1, 3, 5}});
  add("steep", {.r_max = 2, .d_max = 4, .begin = 8, .r_end = 16, .d_end = 12},
      {{7, 1, 0}, {8, 1, 0}, {9, 1.125, 1}, {11, 1.375, 3}, {12, 1.5, 4}, {13, 1.625, 4}, {15, 1.875, 4}, {16, 2, 4}, {17, 2, 4}});
  add("at_once", {.r_max = 2, .d_max = 4, .begin = 8, .r_end = 8, .d_end = 8}, {{7, 1, 0}, {8, 2, 4}, {9, 2, 4}});
  add("backwards", {.r_max = 2, .d_max = 4, .begin = 8, .r_end = 4, .d_end = 6}, {{3, 1, 0}, {4, 2, 0}, {6, 2, 4}});
  add("constant", RenormSchedule::constant(1.75, 0.25), {{0, 1.75, 0.25}, {1, 1.75, 0.25}, {90000, 1.75, 0.25}});
  return all;
}

class BatchRenormSchedule : public testing::TestWithParam<Kink> {};

/// The interpolation is one product and one sum in double, of either factor first. A layer at that step trains with these limits: r and d
/// as large as they let it.
TEST_P(BatchRenormSchedule, HasTheseLimitsAndIsAskedAtEveryForward) {
  const Kink& k = GetParam();
  const RenormLimits limits = k.schedule(k.step);
  EXPECT_DOUBLE_EQ(limits.r_max, k.limits.r_max);
  EXPECT_DOUBLE_EQ(limits.d_max, k.limits.d_max);
  const Subject& renorm = subject_named("BatchRenorm");
  Setting s = shape({6, 3, 2});
  s.r_max = k.limits.r_max;
  s.d_max = k.limits.d_max;
  Data data = random_data(renorm, all_f64, s, 1, 2);
  Values &mean = data.buffers["running_mean"], &variance = data.buffers["running_var"];
  mean[0] = -1000;
  variance[1] = 1e6;
  variance[2] = 1e-6;
  BatchRenorm<double> layer(3, {.eps = s.eps, .momentum = s.momentum});
  set_state(layer, data);
  layer.schedule() = k.schedule;
  Tensors<double> t(s.extents);
  t.x.set(data.x[0]);
  for (int call = 0; call < 2; ++call) {
    layer.set_num_batches_tracked(k.step);
    mean = copy_of(layer.running_mean());
    variance = copy_of(layer.running_var());
    layer.forward(t.x.view(), t.y.view(), t.saved);
    EXPECT_TRUE(within(t.y.values(), renorm.reference(problem_of(renorm, s, data)).y, precision_of(Element::f64))) << call;
  }
}
INSTANTIATE_TEST_SUITE_P(All, BatchRenormSchedule, testing::ValuesIn(kinks()), [](const auto& each) { return each.param.name; });

TEST(BatchRenorm, Defaults) {
  BatchRenorm<double> layer(1);
  EXPECT_EQ(layer.schedule().begin, 5000);
  EXPECT_EQ(layer.schedule().r_end, 40000);
  EXPECT_EQ(layer.schedule().d_end, 25000);
  static_assert(std::is_trivially_copyable_v<RenormSchedule>);
  train(layer, std::vector<double>{1, 3}, {2, 1});
  EXPECT_EQ(layer.running_mean()[0], 0.01 * 2) << "momentum 0.01";
  EXPECT_EQ(layer.running_var()[0], (1 - 0.01) * 1 + 0.01 * 2);
  BatchRenorm<double> small(2, {.momentum = 0.01, .schedule = {.r_max = 3, .d_max = 5}});
  small.schedule().r_max = 7;
  EXPECT_EQ(small.schedule().r_max, 7);
}

/// Before anything is written: y, saved, running statistics.
TEST(BatchRenorm, RefusesLimitsThatLeaveNoRoom) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const RenormSchedule& schedule : {RenormSchedule::constant(0.5, 5), RenormSchedule::constant(3, -1),
                                         RenormSchedule::constant(nan, 5), RenormSchedule::constant(3, nan)}) {
    BatchRenorm<double> layer(1, {.schedule = schedule});
    const Values before = state_of(layer);
    Tensors<double> t({4, 1});
    const std::vector<std::string> words = {"r_max", "d_max", "at least 1 and 0"};
    expect_shape_error("BatchRenorm", words, [&] { layer.forward(t.x.view(), t.y.view(), t.saved); });
    expect_shape_error("BatchRenorm", words, [&] { layer.forward(LoneRank(), t.x.view(), t.y.view(), t.saved); });
    EXPECT_TRUE(t.y.untouched());
    EXPECT_EQ(state_of(layer), before);
    EXPECT_TRUE(t.saved.mean().empty());
    layer(t.x.view(), t.y.view());  // inference asks no schedule
    EXPECT_FALSE(t.y.untouched());
  }
}

/// With options that BatchRenorm does not know at rest: it always tracks, and knows no authors.
std::vector<Case> identity_cases() {
  std::vector<Case> cases = cases_of(subject_named("BatchRenorm"), few_channel_shapes(), six_layouts);
  for (Case& c : cases) {
    c.setting.tracks = true;
    c.setting.authors = false;
  }
  return cases;
}

class BatchRenormIdentity : public testing::TestWithParam<Case> {};

/// All results, the learned statistics and the frozen backward too, are BatchNorm's. That its running statistics are far from the batch's
/// changes nothing.
TEST_P(BatchRenormIdentity, WithoutRoomItIsBatchNorm) {
  const auto& [setting, types, layout] = GetParam();
  Setting s = setting;
  s.r_max = 1;
  s.d_max = 0;
  Data data = random_data(subject_named("BatchRenorm"), types, s, 3, 2);
  for (double& m : data.buffers["running_mean"]) m = rounded_to(types.x, m + 100);
  const Rows rows = run(subject_named("BatchRenorm"), types, s, data, everywhere(lying(layout)));
  const Exact exact(subject_named("BatchNorm"), types, s, data);
  for (const auto& [row, values] : rows) {
    if (row == "mean" || row == "rstd") continue;  // what is saved is its own business
    EXPECT_TRUE(within(values, exact.rows.at(row))) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(All, BatchRenormIdentity, testing::ValuesIn(identity_cases()), CaseName());

}  // namespace
}  // namespace norma_test
