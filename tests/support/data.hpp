// The numbers a norm is asked about: random ones, and the question they are to the reference.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "support/subject.hpp"

namespace norma_test {

/// Logical values of every input; parameters and buffers under their state names.
struct Data {
  std::vector<Values> x, dy;  // of each stream; x of a weight's norm is the parameter that is normalized
  std::map<std::string, Values> parameters, buffers;
  std::int64_t batches = 3;
};

/// State names that play a weight's or a bias' part in a stream's formula, and the names of an x that is a parameter.
inline const std::vector<std::string>& weight_names(std::size_t stream) {
  static const std::vector<std::string> names[] = {{"weight", "q_norm.weight", "scale", "parametrizations.weight.original0"},
                                                   {"k_norm.weight"}};
  return names[stream];
}
inline const std::vector<std::string>& bias_names(std::size_t stream) {
  static const std::vector<std::string> names[] = {{"bias", "q_norm.bias"}, {"k_norm.bias"}};
  return names[stream];
}
inline bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
inline bool is_x(const std::string& parameter) {
  return is_one_of(parameter, {"parametrizations.weight.original1", "parametrizations.weight.original"});
}

/// Random inputs: x around `mean`, a random upstream gradient, parameters with zeros and negative values, running or given statistics not
/// far from those of x.
Data random_data(const Subject& subject, const Types& t, const Setting& s, std::uint64_t seed, double mean = 0, double sigma = 1);

/// One stream's question to the reference. `running`: that of inference, where it differs.
reference::Problem problem_of(const Subject& subject, const Setting& setting, const Data& data, bool running = false,
                              std::size_t stream = 0);

}  // namespace norma_test
