// Mixtures: what the statistics of several sets are together, or mixed by shares, and the adjoints of both.
#pragma once

#include <array>

#include <norma/core/extents.hpp>
#include <norma/stats/statistic.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// How far one mean is from another: small numbers stay exact where both are large.
inline double distance(const SplitSum<>& from, const SplitSum<>& to) { return (to.high - from.high) + (to.low - from.low); }

/// A mean so far from another, and what its variance makes of rstd.
inline SetStatistics statistics_at(const Statistic& statistic, const SplitSum<>& origin, double away, double variance) {
  SplitSum<> mean = two_sum(origin.high, away);
  mean.low += origin.low;
  return {mean, finite_rstd(variance, statistic.rstd(variance, 0)), variance};
}

/// The statistics of n sets of one size together, of(i) being those of the i-th: the mean of means, the mean of variance +
/// (mean - mean of all)^2.
template <class Of>
inline SetStatistics merged(const Statistic& statistic, index_t n, const Of& of) {
  const SplitSum<> origin = of(0).mean;
  const double inverse = 1.0 / static_cast<double>(n);
  double mean = 0, variance = 0;
  for (index_t i = 0; i < n; ++i) mean += distance(origin, of(i).mean);
  mean = mul(mean, inverse);
  for (index_t i = 0; i < n; ++i) {
    const SetStatistics s = of(i);
    const double deviation = distance(origin, s.mean) - mean;
    variance += std::fma(deviation, deviation, s.second);
  }
  return statistics_at(statistic, origin, mean, mul(variance, inverse));
}

/// Statistics k mixed: means by one kind of shares, variances by another.
template <std::size_t K>
inline SetStatistics mixed(const Statistic& statistic, const std::array<SetStatistics, K>& k, const std::array<double, K>& mean_shares,
                           const std::array<double, K>& variance_shares) {
  double away = 0, variance = 0;
  for (std::size_t i = 0; i < K; ++i) {
    away = std::fma(mean_shares[i], distance(k[0].mean, k[i].mean), away);
    variance = std::fma(variance_shares[i], k[i].second, variance);
  }
  return statistics_at(statistic, k[0].mean, away, variance);
}

/// Gradients of a mean and a variance.
struct MomentGradients {
  double mean = 0, variance = 0;

  /// Of what x_hat = (x - mean) * rstd was made of, with g = dx_hat.
  static MomentGradients of_sums(double rstd, double sum_g, double sum_g_x_hat) {
    return {mul(-rstd, sum_g), mul(-0.5 * rstd * rstd, sum_g_x_hat)};
  }
  MomentGradients times(double mean_share, double variance_share) const { return {mul(mean, mean_share), mul(variance, variance_share)}; }
  void operator+=(const MomentGradients& other) {
    mean += other.mean;
    variance += other.variance;
  }
  /// What gradients of the statistics of n sets together are to one of them, whose mean is `away` from that of all. A number is a set
  /// without variance.
  MomentGradients to_one_of(double n, double away) const { return {std::fma(2 * variance, away, mean) / n, variance / n}; }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
