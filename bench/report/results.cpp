// Google Benchmark writes one field per line, `"key": value,`, each benchmark between braces: that is all of JSON this reader knows.
#include "results.hpp"

#include <algorithm>
#include <fstream>
#include <regex>
#include <stdexcept>

namespace bench {
namespace {

using Fields = std::map<std::string, std::string>;

/// All repetitions of one benchmark.
struct Repetitions {
  std::string name;
  long family = 0;
  std::vector<double> seconds;
  double bytes = 0;  // per iteration
};

double unit_seconds(const std::string& unit) {
  if (unit == "s") return 1;
  if (unit == "ms") return 1e-3;
  return unit == "us" ? 1e-6 : 1e-9;
}

double number(const Fields& fields, const std::string& key) {
  const auto found = fields.find(key);
  return found == fields.end() ? 0 : std::stod(found->second);
}

void collect(const Fields& fields, Clock clock, std::vector<Repetitions>& all) {
  const auto type = fields.find("run_type");
  if (type == fields.end() || type->second != "iteration") return;  // aggregates are ours to compute
  const std::string& name = fields.at("run_name");
  auto entry = std::find_if(all.begin(), all.end(), [&](const Repetitions& r) { return r.name == name; });
  if (entry == all.end()) entry = all.insert(all.end(), {name, static_cast<long>(number(fields, "family_index")), {}, 0});
  const double unit = unit_seconds(fields.at("time_unit"));
  entry->seconds.push_back(unit * number(fields, clock == Clock::cpu ? "cpu_time" : "real_time"));
  entry->bytes = number(fields, "bytes_per_second") * unit * number(fields, "cpu_time");  // the rate is Google Benchmark's, of CPU time
}

/// Linear between the two nearest order statistics; `values` is sorted and not empty.
double quantile(const std::vector<double>& values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

Measurement summary(Repetitions r) {
  std::sort(r.seconds.begin(), r.seconds.end());
  const double median = quantile(r.seconds, 0.5);
  return {median, (quantile(r.seconds, 0.75) - quantile(r.seconds, 0.25)) / 2 / median, r.bytes / median};
}

std::vector<CaseResults> group(std::vector<Repetitions> all) {
  std::stable_sort(all.begin(), all.end(), [](const Repetitions& a, const Repetitions& b) { return a.family < b.family; });
  std::vector<CaseResults> cases;
  for (const Repetitions& r : all) {
    const std::size_t slash = r.name.rfind('/');
    const std::string name = r.name.substr(0, slash);
    auto entry = std::find_if(cases.begin(), cases.end(), [&](const CaseResults& c) { return c.name == name; });
    if (entry == cases.end()) entry = cases.insert(cases.end(), {name, {}});
    entry->impls[r.name.substr(slash + 1)] = summary(r);
  }
  return cases;
}

}  // namespace

Results read_results(const std::string& file, Clock clock) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file);
  const std::regex field(R"re(^\s*"([^"]+)":\s*(?:"([^"]*)"|([-+.0-9eE]+)),?\s*$)re");
  Results results;
  std::vector<Repetitions> all;
  Fields fields;
  bool in_context = false;
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (line.find("\"context\":") != std::string::npos)
      in_context = true;
    else if (line.find("\"benchmarks\":") != std::string::npos)
      in_context = false;
    else if (std::regex_match(line, match, field))
      (in_context ? results.context : fields)[match[1]] = match[2].matched ? match[2].str() : match[3].str();
    else if (line.find('}') != std::string::npos && !in_context) {
      collect(fields, clock, all);
      fields.clear();
    }
  }
  results.cases = group(std::move(all));
  if (results.cases.empty()) throw std::runtime_error(file + " holds no benchmark");
  return results;
}

}  // namespace bench
