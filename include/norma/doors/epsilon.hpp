// What answers `.epsilon`: the option is called eps, and a sentence says so.
#pragma once

#include <type_traits>

#include <norma/core/extents.hpp>

namespace norma {

/// Members of lists that fit nothing but a misspelt one: the first takes no number of a list without names, the one in eps' place has no
/// default, the others take whatever stands there.
struct TakesNothing {
  constexpr TakesNothing() {}
};
struct TakesNumber {
  constexpr TakesNumber(double) {}
};
struct TakesAnything {
  constexpr TakesAnything() {}
  template <class Value>
  constexpr TakesAnything(const Value&) {}
};

/// Never returns: an Options that cannot be made. Dependent is any parameter of the template around.
template <class Dependent, class Options = void>
Options refuse_epsilon() {
  static_assert(std::is_void_v<Dependent>, "norma: this option is called eps, as in torch.nn: {.eps = 1e-6}");
  return Options();
}

/// The options of all layers, eps misspelt.
struct EpsilonOptions {
  TakesNothing first = {};
  TakesAnything dim = {}, n_power_iterations = {}, form = {};
  TakesNumber epsilon;
  TakesAnything momentum = {}, affine = {}, bias = {}, unit_offset = {}, eps_outside_sqrt = {}, track_running_stats = {}, convention = {},
                schedule = {}, variance = {}, sequence_length = {}, seed = {}, legacy_names = {}, rounding = {};
};

/// The options of all free functions, eps misspelt.
struct EpsilonViews {
  TakesNothing first = {};
  Extents axes = {};
  TakesAnything groups = {}, mean = {}, variance = {}, running_mean = {}, running_var = {}, momentum = {}, weight = {}, bias = {};
  TakesNumber epsilon;
  TakesAnything unit_offset = {}, eps_outside_sqrt = {}, rounding = {}, weight_grad = {}, bias_grad = {};
};

/// A base of free functions that take an eps: their calls with two or three arguments before the options.
struct RefusesEpsilon {
  template <class A, class B>
  void operator()(A&&, B&&, const EpsilonViews&) const {
    refuse_epsilon<A>();
  }
  template <class A, class B, class C>
  void operator()(A&&, B&&, C&&, const EpsilonViews&) const {
    refuse_epsilon<A>();
  }
};

}  // namespace norma
