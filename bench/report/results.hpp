// Reads what norma_bench wrote with --benchmark_out=FILE: the time and the bytes of each benchmark, as medians over its repetitions.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace bench {

struct Measurement {
  double seconds = 0;           ///< median over the repetitions
  double spread = 0;            ///< half the distance between the quartiles, in parts of the median
  double bytes_per_second = 0;  ///< that of the median
};

/// One line of the table to come: what was computed, by whom, how fast.
struct CaseResults {
  std::string name;  ///< "LayerNorm/forward/f32/128x768"
  std::map<std::string, Measurement> impls;
};

struct Results {
  std::map<std::string, std::string> context;  ///< host, date, peers and their versions
  std::vector<CaseResults> cases;              ///< in the order of their registration
};

enum class Clock { wall, cpu };

/// Throws std::runtime_error where the file cannot be read or holds no benchmark.
Results read_results(const std::string& file, Clock clock);

}  // namespace bench
