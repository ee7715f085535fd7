// Statistic: what each kind makes of a second moment.
#include <gtest/gtest.h>

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

TEST(Statistic, ASetOfZerosHasNoSlopeWithEpsOutside) {
  const Statistic statistic{Kind::mean_square, 0.5, true};
  EXPECT_EQ(statistic.damping(statistic.rstd(0.0, 3), 3), 0.0);
}

}  // namespace
