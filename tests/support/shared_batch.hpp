// One batch split over ranks: every rank's results against the reference's answer to the whole batch, on any communicator.
#pragma once

#include <norma/interop/openmp.hpp>
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/ranks.hpp"

namespace norma_test {

/// How N samples are dealt to ranks.
struct Split {
  const char* name;
  std::vector<std::ptrdiff_t> (*samples)(std::ptrdiff_t n);
};

/// n >= 5.
inline const std::vector<Split>& all_splits() {
  using Parts = std::vector<std::ptrdiff_t>;
  static const std::vector<Split> splits = {
      {"one_rank", [](std::ptrdiff_t n) { return Parts{n}; }},
      {"halves",
       [](std::ptrdiff_t n) {
         return Parts{n / 2, n - n / 2};
       }},
      {"one_and_the_rest",
       [](std::ptrdiff_t n) {
         return Parts{1, n - 1};
       }},
      {"first_empty",
       [](std::ptrdiff_t n) {
         return Parts{0, n};
       }},
      {"last_empty",
       [](std::ptrdiff_t n) {
         return Parts{n, 0};
       }},
      {"thirds",
       [](std::ptrdiff_t n) {
         return Parts{n / 3, n / 3, n - 2 * (n / 3)};
       }},
      {"a_hole",
       [](std::ptrdiff_t n) {
         return Parts{n / 2, 0, n - n / 2};
       }},
      {"four_uneven",
       [](std::ptrdiff_t n) {
         return Parts{1, n - 4, 1, 2};
       }},
      {"one_of_four",
       [](std::ptrdiff_t n) {
         return Parts{0, 0, n, 0};
       }},
  };
  return splits;
}

inline const std::vector<Extents>& all_batches() {
  static const std::vector<Extents> batches = {{8, 3},       {5, 40},       {7, 1, 9},     {6, 4, 7},       {5, 70, 3},
                                               {5, 8, 3, 3}, {9, 16, 4, 5}, {6, 64, 7, 7}, {5, 3, 2, 3, 2}, {6, 33, 2, 2, 2}};
  return batches;
}

struct SharedCase {
  Extents batch;
  Split split;
  std::vector<std::ptrdiff_t> samples() const { return split.samples(batch[0]); }
};
inline std::string name_of(const SharedCase& c) { return to_string(c.batch) + "_" + c.split.name; }
inline void PrintTo(const SharedCase& c, std::ostream* out) { *out << name_of(c); }

inline std::vector<SharedCase> all_shared_cases() {
  std::vector<SharedCase> cases;
  for (const Extents& batch : all_batches()) {
    for (const Split& split : all_splits()) cases.push_back({batch, split});
  }
  return cases;
}

/// SyncBatchNorm: y is the reference's.
struct SyncKind {
  static constexpr const char* name = "SyncBatchNorm";
  static constexpr double momentum = 0.1;
  template <class T>
  using Layer = norma::SyncBatchNorm<T>;
  template <class T>
  static Layer<T> make(std::ptrdiff_t channels) {
    return Layer<T>(channels, {.eps = 1e-3});
  }
  /// What multiplies x_hat and what is added to it, before weight and bias.
  static real gain(real, real) { return 1; }
  static real shift(real, real, real) { return 0; }
};

/// BatchRenorm with limits that some channels meet and others do not.
struct RenormKind {
  static constexpr const char* name = "BatchRenorm";
  static constexpr double momentum = 0.01;
  static constexpr double r_max = 1.5, d_max = 0.5;
  template <class T>
  using Layer = norma::BatchRenorm<T>;
  template <class T>
  static Layer<T> make(std::ptrdiff_t channels) {
    return Layer<T>(channels, {.eps = 1e-3, .schedule = norma::RenormSchedule::constant(r_max, d_max)});
  }
  static real gain(real sigma, real running_sigma) {
    return std::clamp(sigma / running_sigma, 1 / static_cast<real>(r_max), static_cast<real>(r_max));
  }
  static real shift(real mean, real running_mean, real running_sigma) {
    return std::clamp((mean - running_mean) / running_sigma, -static_cast<real>(d_max), static_cast<real>(d_max));
  }
};

namespace shared_batch_detail {

/// Each rank's tensors lie in another way.
inline Where where_of(int rank, int tensor) {
  static constexpr std::array layouts = {Layout::contiguous, Layout::channels_last, Layout::sliced, Layout::reversed};
  return {layouts[static_cast<std::size_t>(rank + tensor) % layouts.size()], Placement::heap, 0};
}

template <class V>
V part_of(const V& values, std::size_t first, std::size_t n) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
  return V(begin, begin + static_cast<std::ptrdiff_t>(n));
}

template <class T>
std::vector<T> copy(std::span<const T> s) {
  return {s.begin(), s.end()};
}

/// Every rank has the bits of rank 0.
template <class T, norma::Communicator C>
void expect_same_everywhere(const C& comm, const char* what, std::span<const T> mine) {
  for (const std::vector<T>& of_rank : gathered(comm, mine)) EXPECT_TRUE(same(of_rank, copy(mine))) << what << " on rank " << comm.rank();
}

}  // namespace shared_batch_detail

/// A batch whose samples drift apart, so that no rank alone has the statistics of all; running statistics that are not the first ones.
template <class Kind, class T>
class SharedBatch {
 public:
  using Layer = typename Kind::template Layer<T>;

  explicit SharedBatch(const Extents& batch) : setting_(setting(batch)), inputs_(random_inputs<T, T, T>(setting_, 11, 2)) {
    const std::size_t per_sample = count(batch) / static_cast<std::size_t>(batch[0]);
    for (std::size_t i = 0; i < inputs_.x.size(); ++i) inputs_.x[i] += static_cast<T>(i / per_sample) / 2;
    const std::size_t channels = static_cast<std::size_t>(batch[1]);
    running_mean_ = random_values<T>(channels, 21, 3);
    running_var_ = random_values<T>(channels, 22);
    for (T& v : running_var_) v = T(0.5) + v * v;
    answer();
  }

  Layer layer() const {
    Layer layer = Kind::template make<T>(setting_.extents[1]);
    std::ranges::copy(inputs_.weight, layer.weight().begin());
    std::ranges::copy(inputs_.bias, layer.bias().begin());
    std::ranges::copy(running_mean_, layer.running_mean().begin());
    std::ranges::copy(running_var_, layer.running_var().begin());
    return layer;
  }

  /// All that one rank of a training step can see, for `samples` of each rank.
  template <norma::Communicator C>
  void check(const C& comm, const std::vector<std::ptrdiff_t>& samples) const {
    using namespace shared_batch_detail;
    SCOPED_TRACE(std::string(Kind::name) + " on rank " + std::to_string(comm.rank()) + " of " + std::to_string(comm.size()));
    const std::size_t rank = static_cast<std::size_t>(comm.rank()),
                      per_sample = inputs_.x.size() / static_cast<std::size_t>(setting_.extents[0]);
    std::size_t first = 0;
    for (std::size_t r = 0; r < rank; ++r) first += static_cast<std::size_t>(samples[r]) * per_sample;
    Extents mine = setting_.extents;
    mine[0] = samples[rank];
    const std::size_t n = count(mine);

    Tensor<T> x(mine, where_of(comm.rank(), 0), part_of(inputs_.x, first, n)), y(mine, where_of(comm.rank(), 1));
    Tensor<T> dy(mine, where_of(comm.rank(), 2), part_of(inputs_.dy, first, n)), dx(mine, where_of(comm.rank(), 3));
    Layer layer = this->layer(), threaded = layer;
    norma::Saved<T> saved, of_threaded;
    layer.forward(comm, x.view(), y.view(), saved);
    layer.backward(comm, dy.view(), x.view(), saved, dx.view());

    const Bounds bound = bounds(problem_, exact_, precision_of<T>());
    EXPECT_TRUE(within(y.values(), part_of(exact_.y, first, n), part_of(bound.y, first, n))) << "y";
    EXPECT_TRUE(within(dx.values(), part_of(exact_.dx, first, n), part_of(bound.dx, first, n))) << "dx";
    EXPECT_TRUE(within(copy(saved.mean()), exact_.mean, bound.mean)) << "mean";
    EXPECT_TRUE(within(copy(saved.rstd()), exact_.rstd, bound.rstd)) << "rstd";
    expect_same_everywhere(comm, "saved.mean()", saved.mean());
    expect_same_everywhere(comm, "saved.rstd()", saved.rstd());
    check_gradients(comm, layer, bound, first, n);
    check_running(comm, layer, bound);
    EXPECT_TRUE(x.surroundings_untouched() && y.surroundings_untouched() && dy.surroundings_untouched() && dx.surroundings_untouched());

    // Threads inside a rank change no bit; a rank may go without dx, and gradients add up.
    Tensor<T> y2(mine, where_of(comm.rank(), 1)), dx2(mine, where_of(comm.rank(), 3));
    threaded.forward(norma::openmp(2), comm, x.view(), y2.view(), of_threaded);
    threaded.backward(norma::openmp(2), comm, dy.view(), x.view(), of_threaded, dx2.view());
    EXPECT_TRUE(same(y.values(), y2.values())) << "y with openmp(2)";
    EXPECT_TRUE(same(dx.values(), dx2.values())) << "dx with openmp(2)";
    const std::vector<T> once = copy<T>(layer.weight_grad()), bias_once = copy<T>(layer.bias_grad());
    EXPECT_TRUE(same(copy<T>(threaded.weight_grad()), once)) << "weight_grad with openmp(2)";
    const norma::TensorView<T> absent;
    layer.backward(comm, dy.view(), x.view(), saved, comm.rank() % 2 == 1 ? absent : dx2.view());
    EXPECT_TRUE(same(dx.values(), dx2.values())) << "dx beside a rank without one";
    for (std::size_t c = 0; c < once.size(); ++c) {
      EXPECT_EQ(layer.weight_grad()[c], 2 * once[c]);
      EXPECT_EQ(layer.bias_grad()[c], 2 * bias_once[c]);
    }
  }

 private:
  static Setting setting(const Extents& batch) {
    Setting s;
    s.extents = batch;
    s.axes = {0};
    for (std::size_t a = 2; a < batch.size(); ++a) s.axes.push_back(static_cast<std::ptrdiff_t>(a));
    s.weight = s.bias = Form::per_set;
    s.eps = 1e-3;
    return s;
  }

  /// The norm's gain and shift are constants: a weight and a bias more. dweight belongs to the real weight.
  void answer() {
    problem_ = problem(setting_, inputs_);
    const reference::Answer plain = reference::layer_norm(problem_);
    const std::size_t channels = plain.sets.size();
    const auto eps = static_cast<real>(setting_.eps);
    std::vector<real> gain(channels), shift(channels);
    for (std::size_t c = 0; c < channels; ++c) {
      const real running_sigma = std::sqrt(static_cast<real>(running_var_[c]) + eps);
      gain[c] = Kind::gain(std::sqrt(plain.variance[c] + eps), running_sigma);
      shift[c] = Kind::shift(plain.mean[c], static_cast<real>(running_mean_[c]), running_sigma);
      for (const std::size_t i : plain.sets[c]) {
        problem_.bias[i] += problem_.weight[i] * shift[c];
        problem_.weight[i] *= gain[c];
      }
    }
    exact_ = reference::layer_norm(problem_);
    for (std::size_t c = 0; c < channels; ++c) {
      exact_.dweight[c] = gain[c] * exact_.dweight[c] + shift[c] * exact_.dbias[c];
      for (const std::size_t i : exact_.sets[c]) exact_.x_hat[i] = exact_.x_hat[i] * gain[c] + shift[c];
    }
  }

  /// This rank's part, and the sum of all parts.
  template <norma::Communicator C>
  void check_gradients(const C& comm, const Layer& layer, const Bounds& bound, std::size_t first, std::size_t n) const {
    std::vector<real> dweight(exact_.dweight.size()), dbias(dweight), weight_sum(dweight), bias_sum(dweight), weight_bound(dweight),
        bias_bound(dweight);
    for (std::size_t i = first; i < first + n; ++i) {
      dweight[problem_.weight_cell[i]] += problem_.dy[i] * exact_.x_hat[i];
      dbias[problem_.bias_cell[i]] += problem_.dy[i];
    }
    // The shift's share of the weight's gradient has the rounding of the bias' gradient.
    for (std::size_t c = 0; c < dweight.size(); ++c) {
      weight_bound[c] = 2 * (bound.dweight[c] + bound.dbias[c]);
      bias_bound[c] = 2 * bound.dbias[c];
    }
    using shared_batch_detail::copy;
    EXPECT_TRUE(within(copy(layer.weight_grad()), dweight, weight_bound)) << "weight_grad of this rank";
    EXPECT_TRUE(within(copy(layer.bias_grad()), dbias, bias_bound)) << "bias_grad of this rank";
    for (const std::vector<T>& part : gathered(comm, layer.weight_grad())) {
      for (std::size_t c = 0; c < part.size(); ++c) weight_sum[c] += static_cast<real>(part[c]);
    }
    for (const std::vector<T>& part : gathered(comm, layer.bias_grad())) {
      for (std::size_t c = 0; c < part.size(); ++c) bias_sum[c] += static_cast<real>(part[c]);
    }
    EXPECT_TRUE(within(weight_sum, exact_.dweight, weight_bound)) << "weight_grad of all ranks";
    EXPECT_TRUE(within(bias_sum, exact_.dbias, bias_bound)) << "bias_grad of all ranks";
  }

  template <norma::Communicator C>
  void check_running(const C& comm, const Layer& layer, const Bounds& bound) const {
    const real m = static_cast<real>(exact_.sets.front().size()), take = static_cast<real>(Kind::momentum);
    const real rounding = static_cast<real>(std::numeric_limits<T>::epsilon());
    std::vector<real> mean, variance, mean_bound, variance_bound;
    for (std::size_t c = 0; c < exact_.sets.size(); ++c) {
      mean.push_back((1 - take) * static_cast<real>(running_mean_[c]) + take * exact_.mean[c]);
      variance.push_back((1 - take) * static_cast<real>(running_var_[c]) + take * exact_.variance[c] * m / (m - 1));
      mean_bound.push_back(bound.mean[c] + 2 * rounding * std::abs(mean[c]));
      variance_bound.push_back(4 * rounding * variance[c]);
    }
    using shared_batch_detail::copy;
    EXPECT_TRUE(within(copy(layer.running_mean()), mean, mean_bound)) << "running_mean";
    EXPECT_TRUE(within(copy(layer.running_var()), variance, variance_bound)) << "running_var";
    EXPECT_EQ(layer.num_batches_tracked(), 1);
    shared_batch_detail::expect_same_everywhere(comm, "running_mean()", layer.running_mean());
    shared_batch_detail::expect_same_everywhere(comm, "running_var()", layer.running_var());
  }

  Setting setting_;
  Inputs<T, T, T> inputs_;
  std::vector<T> running_mean_, running_var_;
  reference::Problem problem_;
  reference::Answer exact_;
};

}  // namespace norma_test
