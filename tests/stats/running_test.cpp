// One step of running statistics in each framework's convention.
#include <norma/stats/running.hpp>

#include <gtest/gtest.h>

namespace {

using norma::RunningStep;
using norma::StatsConvention;

TEST(RunningStep, ByDefaultDoesNothing) {
  const RunningStep step;
  EXPECT_EQ(step.blend(3, 100), 3);
}

TEST(RunningStep, TorchWeighsTheNewValueAndTakesTheUnbiasedVariance) {
  const RunningStep step = RunningStep::of(0.25, StatsConvention::torch, 7);
  EXPECT_EQ(step.keep, 0.75);
  EXPECT_EQ(step.take, 0.25);
  EXPECT_EQ(step.blend(8, 16), 10);
  EXPECT_EQ(step.averaged_variance(3, 4), 4);
}

TEST(RunningStep, KerasAndOnnxWeighTheOldValueAndTakeThePopulationsVariance) {
  for (const StatsConvention convention : {StatsConvention::keras, StatsConvention::onnx}) {
    const RunningStep step = RunningStep::of(0.25, convention, 7);
    EXPECT_EQ(step.keep, 0.25);
    EXPECT_EQ(step.take, 0.75);
    EXPECT_EQ(step.blend(8, 16), 14);
    EXPECT_EQ(step.averaged_variance(3, 4), 3);
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
