// Where a layer's file enrols its benchmark cases. A new norm adds one file bench/layers/<layer>_bench.cpp and nothing else:
//
//   const bench::Registration registration([] { bench::add<float>({.layer = "BatchNorm", .pass = ..., .problem = ..., ...}); });
#pragma once

#include "problem.hpp"

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {

// A wrong formula errs in the first digits, a right one by the rounding of sums over 100,000 elements: anything between tells them apart.
template <class T>
inline constexpr double default_agreement = std::is_same_v<T, float> ? 1e-4 : 1e-10;

template <class T>
struct Impl {
  std::string name;  ///< last part of the benchmark's name: "norma", "onednn", "torch", "eigen", "loop", ...
  Maker<T> make;
  bool comparable = true;                   ///< false: timed beside the others, but computes something else
  std::size_t element_bytes = sizeof(T);    ///< of x, y, dy, dx
  double agreement = default_agreement<T>;  ///< the largest error --verify accepts, in units of a tensor's largest element
};

/// One case: everything that computes the same thing on the same data.
template <class T>
struct Case {
  std::string layer;
  Pass pass;
  Problem problem;
  std::vector<Impl<T>> impls;  ///< `copy` and, for large tensors, `copy_streaming` are added to them by themselves
  Maker<T> reference;          ///< plain loops in double: what --verify compares with

  std::string name() const;  ///< "LayerNorm/forward/f32/128x768"
};

template <class T>
void add(Case<T> c);

/// All cases added so far.
template <class T>
const std::vector<Case<T>>& cases();

class Registration {
 public:
  explicit Registration(void (*enrol)());
};

/// Calls every file's registration and hands all cases to Google Benchmark, each implementation under
/// "<Layer>/<pass>/<dtype>/<shape>[/<layout>]/<impl>".
void register_benchmarks();

/// Runs every implementation once and compares its results with the reference; true if all agree.
/// `filter` is a regular expression searched in the benchmark's name.
bool verify_all(const std::string& filter);

}  // namespace bench
