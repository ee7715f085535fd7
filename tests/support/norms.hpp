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

template <class X, class Y, class Forward, class Backward>
Norm<X, Y> make_norm(const char* name, reference::Answer (*reference)(const reference::Problem&), bool has_eps_outside_sqrt,
                     Forward forward, Backward backward) {
  Norm<X, Y> norm;
  norm.name = name;
  norm.reference = reference;
  norm.has_eps_outside_sqrt = has_eps_outside_sqrt;
  reference::Problem nothing;
  nothing.extents = {0};
  norm.centred = reference(nothing).centred;
  norm.infer = [forward](const Pool* pool, auto x, auto y, const auto& options) { call(forward, pool, x, y, options); };
  norm.train = [forward](const Pool* pool, auto x, auto y, auto& saved, const auto& options) { call(forward, pool, x, y, saved, options); };
  norm.backward = [backward](const Pool* pool, auto dy, auto x, auto& saved, auto dx, const auto& options) {
    call(backward, pool, dy, x, saved, dx, options);
  };
  return norm;
}

}  // namespace catalogue_detail

// A set of overloads cannot be passed as an argument; a lambda that calls it can.
#define NORMA_TEST_CALL(function) [](auto&&... a) { norma::function(std::forward<decltype(a)>(a)...); }
#define NORMA_TEST_NORM(name, function, reference, has_eps_outside_sqrt) \
  catalogue_detail::make_norm<X, Y>(name, reference, has_eps_outside_sqrt, NORMA_TEST_CALL(function), NORMA_TEST_CALL(function##_backward))

template <class X, class Y>
const std::vector<Norm<X, Y>>& catalogue() {
  static const std::vector<Norm<X, Y>> norms = {
      NORMA_TEST_NORM("LayerNorm", layer_norm, reference::layer_norm, false),
      NORMA_TEST_NORM("RMSNorm", rms_norm, reference::rms_norm, true),
  };
  return norms;
}

}  // namespace norma_test
