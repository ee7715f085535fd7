// How norma compares over all cases of one kind: a norm's pass, element type and layout.
#pragma once

#include "results.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bench {

inline constexpr const char* own = "norma";

bool is_library(const std::string& impl);
/// Written by hand for the benchmark.
bool is_by_hand(const std::string& impl);

/// Time of the fastest implementation that `counts` by norma's time; 0 without one.
double fastest_ratio(const CaseResults& c, const std::function<bool(const std::string& impl)>& counts);

/// norma's bytes per second by those of the fastest copy; 0 without one.
double copy_share(const CaseResults& c);

/// Of ratios, those of 0 left out.
struct Ratios {
  double least = 0;
  std::string least_in;  ///< the shape of the case that has it
  double sum_of_logarithms = 0;
  std::size_t count = 0;

  void add(double ratio, const std::string& shape);
  double mean() const;  ///< geometric; 0 if there are none
};

struct Kind {
  std::string name;  ///< "BatchNorm/train/f32/nhwc"
  std::size_t cases = 0;
  Ratios libraries, all, of_copy;
};

/// In the order in which they first occur; cases that norma has not run are left out, and kinds that nobody else has.
std::vector<Kind> kinds_of(const std::vector<CaseResults>& cases);

}  // namespace bench
