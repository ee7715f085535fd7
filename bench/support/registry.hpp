// Where a layer's file enrols its benchmark cases. A new norm adds one file bench/layers/<layer>_bench.cpp and nothing else:
//
//   const bench::Registration registration([] { bench::add<float>({.layer = "BatchNorm", .pass = ..., .problem = ..., ...}); });
#pragma once

#include "problem.hpp"

#include <string>
#include <vector>

namespace bench {

template <class T>
struct Impl {
  std::string name;  ///< last part of the benchmark's name: "norma", "onednn", "torch", "eigen", ...
  Maker<T> make;
  bool comparable = true;  ///< false: timed beside the others, but computes something else
};

/// One case: everything that computes the same thing on the same data.
template <class T>
struct Case {
  std::string layer;
  Pass pass;
  Problem problem;
  std::vector<Impl<T>> impls;  ///< `copy` is added to them by itself
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
