// Mixtures: sets together have the statistics of all their numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <norma/stats/mixture.hpp>

namespace norma_test { namespace {

using norma::index_t;
using norma::SetStatistics;

const norma::Statistic statistic{norma::Statistic::Kind::deviation, 0.25};

SetStatistics of(const std::vector<double>& numbers) {
  double mean = 0, second = 0;
  for (const double v : numbers) mean += v / static_cast<double>(numbers.size());
  for (const double v : numbers) second += (v - mean) * (v - mean) / static_cast<double>(numbers.size());
  return {{mean, 0}, 1 / std::sqrt(second + 0.25), second};
}

TEST(Mixture, SetsTogetherAreTheSetOfAllTheirNumbers) {
  const std::vector<double> sets[3] = {{1, 2, 5, 8}, {-3, 0, 1, 2}, {7, 7, 7, 11}};
  std::vector<double> all;
  for (const auto& s : sets) all.insert(all.end(), s.begin(), s.end());
  const SetStatistics together = norma::merged(statistic, 3, [&](index_t i) { return of(sets[i]); }), expected = of(all);
  EXPECT_NEAR(together.mean.high + together.mean.low, expected.mean.high, 1e-15);
  EXPECT_NEAR(together.second, expected.second, 1e-14);
  EXPECT_NEAR(together.rstd, expected.rstd, 1e-15);
}

// Means that differ by less than a double of their size can hold.
TEST(Mixture, FarMeansLoseNothing) {
  const SetStatistics sets[2] = {{{1e16, 0.25}, 0, 1}, {{1e16, 0.75}, 0, 1}};
  const SetStatistics together = norma::merged(statistic, 2, [&](index_t i) { return sets[i]; });
  EXPECT_EQ((together.mean.high - 1e16) + together.mean.low, 0.5);
  EXPECT_EQ(together.second, 1 + 0.0625);
  EXPECT_EQ(norma::distance(sets[0].mean, sets[1].mean), 0.5);
  const SetStatistics mixed = norma::mixed<2>(statistic, {sets[0], sets[1]}, {0.75, 0.25}, {0.5, 0.5});
  EXPECT_EQ((mixed.mean.high - 1e16) + mixed.mean.low, 0.375);
  EXPECT_EQ(mixed.second, 1);
}

TEST(Mixture, ConstantSetsWithoutEpsHaveNoRstd) {
  const auto constant = [](index_t) { return SetStatistics{{3, 0}, 0, 0}; };
  EXPECT_EQ(norma::merged({norma::Statistic::Kind::deviation, 0}, 4, constant).rstd, 0);
}

}}  // namespace norma_test
