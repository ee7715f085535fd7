// THE list of norms under test: one line a norm.
#pragma once

#include <utility>

#include "support/catalogue.hpp"

namespace norma_test {

namespace catalogue_detail {

/// Calls f with the executor in front, or without one.
template <class F, class... A>
void call(F f, const Pool* pool, A&&... a) {
  if (pool != nullptr) {
    f(*pool, std::forward<A>(a)...);
  } else {
    f(std::forward<A>(a)...);
  }
}

/// Where the statistics come from: x, in training and inference; x, in training only; the caller.
enum class Statistics { of_x, of_the_batch, given };

template <Statistics source, class X, class Y, class Forward, class Backward>
Norm<X, Y> make_norm(const char* name, reference::Answer (*reference)(const reference::Problem&), const Family& family, Forward forward,
                     Backward backward) {
  Norm<X, Y> norm;
  norm.name = name;
  norm.reference = reference;
  norm.family = family;
  reference::Problem nothing;
  nothing.extents = {0};
  norm.centred = reference(nothing).centred;
  norm.infer = [forward](const Pool* pool, auto x, auto y, const auto& options) {
    if constexpr (source == Statistics::of_the_batch) {
      typename Norm<X, Y>::Saved unused;
      call(forward, pool, x, y, unused, options);
    } else {
      call(forward, pool, x, y, options);
    }
  };
  norm.train = [forward](const Pool* pool, auto x, auto y, [[maybe_unused]] auto& saved, const auto& options) {
    if constexpr (source == Statistics::given) {
      call(forward, pool, x, y, options);
    } else {
      call(forward, pool, x, y, saved, options);
    }
  };
  norm.backward = [backward](const Pool* pool, auto dy, auto x, [[maybe_unused]] auto& saved, auto dx, const auto& options) {
    if constexpr (source == Statistics::given) {
      call(backward, pool, dy, x, dx, options);
    } else {
      call(backward, pool, dy, x, saved, dx, options);
    }
  };
  return norm;
}

}  // namespace catalogue_detail

// A set of overloads cannot be passed as an argument; a lambda that calls it can.
#define NORMA_TEST_CALL(function) [](auto&&... a) { norma::function(std::forward<decltype(a)>(a)...); }
#define NORMA_TEST_NORM(name, source, forward, backward, formula, family)                                                             \
  catalogue_detail::make_norm<catalogue_detail::Statistics::source, X, Y>(name, reference::formula, family, NORMA_TEST_CALL(forward), \
                                                                          NORMA_TEST_CALL(backward))

template <class X, class Y>
const std::vector<Norm<X, Y>>& catalogue() {
  static const std::vector<Norm<X, Y>> norms = {
      NORMA_TEST_NORM("LayerNorm", of_x, layer_norm, layer_norm_backward, layer_norm, row_family(false)),
      NORMA_TEST_NORM("RMSNorm", of_x, rms_norm, rms_norm_backward, rms_norm, row_family(true)),
      NORMA_TEST_NORM("BatchNorm", of_the_batch, batch_norm, batch_norm_backward, batch_norm, batch_family()),
      NORMA_TEST_NORM("BatchNorm_inference", given, batch_norm, batch_norm_backward_frozen, batch_norm_inference, given_family()),
      NORMA_TEST_NORM("GroupNorm", of_x, group_norm, group_norm_backward, group_norm, group_family()),
      NORMA_TEST_NORM("InstanceNorm", of_x, instance_norm, instance_norm_backward, instance_norm, instance_family()),
  };
  return norms;
}

}  // namespace norma_test
