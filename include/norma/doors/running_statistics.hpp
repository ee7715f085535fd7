// Running statistics of layers of (N, C, spatial...): what they are, learn, and are at inference.
#pragma once

#include <limits>

#include <norma/core/view.hpp>
#include <norma/doors/checks.hpp>
#include <norma/doors/visits.hpp>
#include <norma/engine/given.hpp>
#include <norma/stats/running.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Running mean and variance of a layer, and how many batches went in. Variance is absent where a norm has none.
template <class T>
class RunningStatistics : public VisitedBuffers<RunningStatistics<T>> {
 public:
  /// None.
  RunningStatistics() = default;
  /// For layers: mean 0 and this variance, if it has one, of so many channels.
  RunningStatistics(index_t channels, bool has_variance, T variance) : mean_(channels), tracks_(true) {
    if (has_variance) variance_ = Buffer<T>(channels, variance);
  }

  ///@{
  /// (C) each; empty where the layer does not track, or has no variance.
  std::span<T> running_mean() { return mean_.span(); }
  std::span<const T> running_mean() const { return mean_.span(); }
  std::span<T> running_var() { return variance_.span(); }
  std::span<const T> running_var() const { return variance_.span(); }
  ///@}
  /// How many training batches went in.
  std::int64_t num_batches_tracked() const { return batches_; }
  /// ShapeError if n is negative.
  void set_num_batches_tracked(std::int64_t n) {
    if (n < 0) raise_shape_error("set_num_batches_tracked: ", n, " batches");
    batches_ = n;
  }

 protected:
  bool tracks() const { return tracks_; }
  TensorView<const T> mean_view() const { return {mean_.data(), mean_.size()}; }
  TensorView<const T> variance_view() const { return {variance_.data(), variance_.size()}; }
  TensorView<T> mean_view() { return {mean_.data(), mean_.size()}; }
  TensorView<T> variance_view() { return {variance_.data(), variance_.size()}; }

  /// The step of the next batch, which is counted as far as the counter goes.
  RunningStep next_step(const std::optional<double>& momentum, StatsConvention convention) {
    if (batches_ < (std::numeric_limits<std::int64_t>::max)()) ++batches_;
    return RunningStep::of(momentum, convention, batches_);
  }

 private:
  friend VisitedBuffers<RunningStatistics>;
  template <class Self, class F>
  static void visit_buffers(Self& self, F& f) {
    if (!self.tracks_) return;
    f(std::string_view("running_mean"), self.running_mean());
    if (self.variance_.data() != nullptr) f(std::string_view("running_var"), self.running_var());
  }

  Buffer<T> mean_, variance_;
  std::int64_t batches_ = 0;
  bool tracks_ = false;
};

/// running = keep * running + take * (mean over the samples of a channel's statistics). `saved` holds the statistics of `samples` times
/// mean.extent(0) sets of m values, channels innermost.
template <class P>
inline void update_running(const Saved<P>& saved, index_t samples, index_t m, const RunningStep& step, const TensorView<P>& mean,
                           const TensorView<P>& variance) {
  const index_t channels = mean.extent(0);
  for (index_t c = 0; c < channels; ++c) {
    double mean_of_samples = 0, variance_of_samples = 0;
    for (index_t n = 0; n < samples; ++n) {
      mean_of_samples += saved.mean_in_double(n * channels + c);
      variance_of_samples += saved.variance()[static_cast<std::size_t>(n * channels + c)];
    }
    const double inverse = 1.0 / static_cast<double>(samples);
    mean(c) = static_cast<P>(step.blend(static_cast<double>(mean(c)), mean_of_samples * inverse));
    if (variance.data() == nullptr) continue;
    const double averaged = step.averaged_variance(variance_of_samples * inverse, m);
    variance(c) = static_cast<P>(step.blend(static_cast<double>(variance(c)), averaged));
  }
}

/// update_running for the sets a forward over `roles` has left: the channels of the batch, or of each sample.
template <class P>
inline void update_running_of(const Saved<P>& saved, const Extents& x, const Roles& roles, const RunningStep& step,
                              const TensorView<P>& mean, const TensorView<P>& variance) {
  const index_t samples = roles.keeps(0) ? x[0] : 1;
  update_running(saved, samples, values_per_channel(x) / samples, step, mean, variance);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
