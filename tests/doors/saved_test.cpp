// Saved: remembers which forward wrote it, and keeps its memory between steps.
#include <gtest/gtest.h>

#include <norma/doors/saved.hpp>

namespace {

using norma::Extents;
using norma::Saved;
using norma::ShapeError;

TEST(Saved, ChecksKindExtentsAndAxes) {
  Saved<float> saved;
  EXPECT_THROW(saved.check("LayerNorm", {2, 3}, 2), ShapeError) << "never filled";
  saved.prepare(2, true);
  EXPECT_THROW(saved.check("LayerNorm", {2, 3}, 2), ShapeError) << "prepared is not filled";
  saved.commit("LayerNorm", {2, 3}, 2, {});
  EXPECT_NO_THROW(saved.check("LayerNorm", {2, 3}, 2));
  EXPECT_THROW(saved.check("RMSNorm", {2, 3}, 2), ShapeError);
  EXPECT_THROW(saved.check("LayerNorm", {3, 3}, 2), ShapeError);
  EXPECT_THROW(saved.check("LayerNorm", {2, 3, 1}, 2), ShapeError);
  EXPECT_THROW(saved.check("LayerNorm", {2, 3}, 1), ShapeError);
}

TEST(Saved, StatisticsOfCentredAndUncentredNorms) {
  Saved<float> saved;
  const auto centred = saved.prepare(3, true);
  centred.put(1, {{2.0 + 0x1p-30, 0x1p-60}, 0.1});
  saved.commit("LayerNorm", {3, 4}, 2, {});
  ASSERT_EQ(saved.mean().size(), 3u);
  ASSERT_EQ(saved.rstd().size(), 3u);
  EXPECT_EQ(saved.mean()[1], 2.0f);
  EXPECT_EQ(saved.rstd()[1], 0.1f);
  const auto mean = saved.statistics().get_mean<double>(1);
  EXPECT_EQ(mean.high + mean.low, 2.0 + 0x1p-30) << "the low part is kept for the backward";
  EXPECT_NEAR(saved.statistics().get_rstd<double>(1), 0.1, 1e-15);
  saved.prepare(5, false);
  saved.commit("RMSNorm", {5, 4}, 2, {norma::Statistic::Kind::mean_square, 1e-5, true});
  EXPECT_TRUE(saved.mean().empty());
  EXPECT_EQ(saved.rstd().size(), 5u);
  EXPECT_TRUE(saved.statistic().eps_outside_sqrt);
}

}  // namespace
