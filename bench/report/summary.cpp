#include "summary.hpp"

#include <algorithm>
#include <cmath>

namespace bench {
namespace {

/// "BatchNorm/train/f32/32x64x112x112/nhwc" without its shape, and the shape.
struct Name {
  std::string kind, shape;

  explicit Name(const std::string& name) {
    std::size_t begin = 0;
    for (int part = 0; part < 3; ++part) begin = name.find('/', begin) + 1;
    const std::size_t end = std::min(name.find('/', begin), name.size());
    kind = name.substr(0, begin - 1) + name.substr(end);
    shape = name.substr(begin, end - begin);
  }
};

}  // namespace

bool is_library(const std::string& impl) { return impl == "onednn" || impl == "torch"; }
bool is_by_hand(const std::string& impl) { return impl == "eigen" || impl == "loop"; }

double fastest_ratio(const CaseResults& c, const std::function<bool(const std::string& impl)>& counts) {
  double fastest = 0;
  for (const auto& [impl, result] : c.impls)
    if (counts(impl) && (fastest == 0 || result.seconds < fastest)) fastest = result.seconds;
  return fastest / c.impls.at(own).seconds;
}

double copy_share(const CaseResults& c) {
  double fastest = 0;
  for (const auto& [impl, result] : c.impls)
    if (impl.starts_with("copy")) fastest = std::max(fastest, result.bytes_per_second);
  return fastest == 0 ? 0 : c.impls.at(own).bytes_per_second / fastest;
}

void Ratios::add(double ratio, const std::string& shape) {
  if (ratio == 0) return;
  if (count == 0 || ratio < least) {
    least = ratio;
    least_in = shape;
  }
  sum_of_logarithms += std::log(ratio);
  ++count;
}

double Ratios::mean() const { return count == 0 ? 0 : std::exp(sum_of_logarithms / static_cast<double>(count)); }

std::vector<Kind> kinds_of(const std::vector<CaseResults>& cases) {
  std::vector<Kind> kinds;
  for (const CaseResults& c : cases) {
    if (!c.impls.contains(own)) continue;
    const Name name(c.name);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) { return k.name == name.kind; });
    if (kind == kinds.end()) {
      kinds.emplace_back();
      kind = kinds.end() - 1;
      kind->name = name.kind;
    }
    ++kind->cases;
    kind->libraries.add(fastest_ratio(c, is_library), name.shape);
    kind->all.add(fastest_ratio(c, [](const std::string& impl) { return is_library(impl) || is_by_hand(impl); }), name.shape);
    kind->of_copy.add(copy_share(c), name.shape);
  }
  std::erase_if(kinds, [](const Kind& k) { return k.all.count == 0; });
  return kinds;
}

}  // namespace bench
