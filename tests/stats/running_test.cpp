// One step of running statistics in each framework's convention.
#include <norma/stats/running.hpp>

#include <gtest/gtest.h>

namespace {

using norma::RunningStep;
using norma::StatsConvention;

TEST(RunningStep, ByDefaultDoesNothing) { EXPECT_EQ(RunningStep().blend(3, 100), 3); }

TEST(RunningStep, MomentumAndVarianceInEachConvention) {
  struct Row {
    StatsConvention convention;
    double keep, blended, variance;  // of 8 and 16, and of 3 among four
  };
  for (const Row& row :
       {Row{StatsConvention::torch, 0.75, 10, 4}, {StatsConvention::keras, 0.25, 14, 3}, {StatsConvention::onnx, 0.25, 14, 3}}) {
    const RunningStep step = RunningStep::of(0.25, row.convention, 7);
    EXPECT_EQ(step.keep, row.keep);
    EXPECT_EQ(step.take, 1 - row.keep);
    EXPECT_EQ(step.blend(8, 16), row.blended);
    EXPECT_EQ(step.averaged_variance(3, 4), row.variance);
  }
}

TEST(RunningStep, WithoutMomentumAllBatchesWeighTheSameInEveryConvention) {
  for (const StatsConvention convention : {StatsConvention::torch, StatsConvention::keras, StatsConvention::onnx}) {
    double running = 1000;  // forgotten by the first batch
    const double batches[] = {4, 8, 0, 12};
    for (int n = 1; n <= 4; ++n) running = RunningStep::of(std::nullopt, convention, n).blend(running, batches[n - 1]);
    EXPECT_EQ(running, 6);
  }
}

TEST(RunningStep, MomentumMayBeZeroOrOne) {
  EXPECT_EQ(RunningStep::of(0, StatsConvention::torch, 1).blend(3, 5), 3);
  EXPECT_EQ(RunningStep::of(1, StatsConvention::torch, 1).blend(3, 5), 5);
  EXPECT_EQ(RunningStep::of(0, StatsConvention::keras, 1).blend(3, 5), 5);
  EXPECT_EQ(RunningStep::of(1, StatsConvention::onnx, 1).blend(3, 5), 3);
}

TEST(RunningStep, ASingleValueHasNoVarianceToEstimateFrom) {
  EXPECT_EQ(RunningStep::of(0.1, StatsConvention::torch, 1).averaged_variance(0, 1), 0);
  EXPECT_EQ(RunningStep::of(0.1, StatsConvention::torch, 1).averaged_variance(2, 1), 0);
  EXPECT_EQ(RunningStep::of(0.1, StatsConvention::keras, 1).averaged_variance(0, 1), 0);
}

}  // namespace
