// Statistic: what each kind makes of a second moment, forward and backward, and of scaled inputs.
#include <gtest/gtest.h>

#include <cmath>

#include <norma/stats/statistic.hpp>

namespace {

using norma::Statistic;
using Kind = Statistic::Kind;

TEST(Statistic, RstdOfEachKind) {
  EXPECT_EQ((Statistic{Kind::deviation, 0.25}.rstd(3.75, 8)), 0.5);
  EXPECT_EQ((Statistic{Kind::mean_only, 0.25}.rstd(3.75, 8)), 1.0);
  EXPECT_EQ((Statistic{Kind::mean_square, 0.25}.rstd(3.75, 8)), 0.5);
  EXPECT_EQ((Statistic{Kind::mean_square, 0.5, true}.rstd(2.25, 8)), 0.5);
  EXPECT_EQ((Statistic{Kind::length, 1}.rstd(3.0, 5)), 0.25);
}

TEST(Statistic, OnlyNormsThatSubtractTheMeanAreCentred) {
  EXPECT_TRUE((Statistic{Kind::deviation}.centred() && Statistic{Kind::mean_only}.centred()));
  EXPECT_FALSE((Statistic{Kind::mean_square}.centred() || Statistic{Kind::length}.centred()));
}

/// rstd * x does not change where x is multiplied with s and the statistic told so.
TEST(Statistic, ScaledInputsGiveTheSameNorm) {
  for (const Kind kind : {Kind::deviation, Kind::mean_only, Kind::mean_square, Kind::length}) {
    for (const bool outside : {false, true}) {
      const Statistic statistic{kind, 0.375, outside && kind == Kind::mean_square};
      for (const double s : {0x1p-40, 4.0}) EXPECT_DOUBLE_EQ(statistic.scaled(s).rstd(7.0 * s * s, 6) * s, statistic.rstd(7.0, 6));
    }
  }
}

/// damping is minus the logarithmic slope of rstd in the second moment, doubled, times what x_hat^2 lacks to m: the chain rule.
TEST(Statistic, DampingIsTheSlopeOfRstd) {
  const double m = 2.0, step = 1e-6, n = 7;
  for (const Statistic& statistic : {Statistic{Kind::deviation, 0.5}, Statistic{Kind::mean_only}, Statistic{Kind::mean_square, 0.5},
                                     Statistic{Kind::mean_square, 0.5, true}, Statistic{Kind::length, 0.5}}) {
    const double rstd = statistic.rstd(m, n);
    const double slope = (statistic.rstd(m + step, n) - statistic.rstd(m - step, n)) / (2 * step);
    // dx holds rstd * (-damping * x_hat * mean(g x_hat)); by the chain rule that is slope * 2 x mean(g x), with x_hat = x * rstd.
    EXPECT_NEAR(statistic.damping(rstd, n), -2 * slope / (rstd * rstd * rstd), 1e-6);
  }
}

TEST(Statistic, ASetOfZerosHasNoSlopeWithEpsOutside) {
  const Statistic statistic{Kind::mean_square, 0.5, true};
  EXPECT_EQ(statistic.damping(statistic.rstd(0.0, 3), 3), 0.0);
}

}  // namespace
