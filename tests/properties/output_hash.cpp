// Prints one line "case result hash" for every result of every subject over lengths, shapes, layouts and options: equal on every
// instruction set with fused multiply-adds, and whether or not the compiler may turn a product and a sum into one fused operation.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>

#include "support/cases.hpp"
#include "support/run.hpp"

namespace norma_test { namespace {

/// FNV-1a over words of bits, each mixed down, as only high bits of a double may differ; every NaN counts as the same.
std::uint64_t hash(const Values& values) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const double value : values) {
    const std::uint64_t bits = value != value ? 1 : std::bit_cast<std::uint64_t>(value);
    h = (h ^ bits ^ (bits >> 32)) * 0x100000001B3u;
    h ^= h >> 29;
  }
  return h;
}

void print(const Subject& subject, const Types& t, const Setting& s, Layout layout, double mean, double sigma, const char* data_name) {
  const Data data = random_data(subject, t, s, 91, mean, sigma);
  const std::string name = subject.name + "_" + case_name(t, s, layout) + data_name;
  for (const auto& [row, values] : run(subject, t, s, data, everywhere(lying(layout))))
    std::printf("%s %s %016llx\n", name.c_str(), row.c_str(), static_cast<unsigned long long>(hash(values)));
}

void print_lengths(const Subject& subject, const Types& t) {
  const double large = t.x == Element::f32 ? 1e30 : 1e200;
  const std::size_t last = subject.variations.size() - 1;
  for (const std::ptrdiff_t length : lengths_of(subject, all_lengths())) {
    if (length > 35 && length < 250 && length % 16 > 1) continue;
    for (const std::ptrdiff_t sets : {1, length > 2000 ? 3 : 70}) {
      print(subject, t, sets_of(subject, sets, length), Layout::contiguous, 0.5, 1, "");
      print(subject, t, sets_of(subject, sets, length), lanes_layout(subject), 1e3, 1, "_far");
    }
    print(subject, t, sets_of(subject, 3, length, last), Layout::strided, 0, 1 / large, "_small");
    // Running statistics of these are Inf.
    if (subject.learning == Learning::none) print(subject, t, sets_of(subject, 3, length), Layout::contiguous, 0, large, "_large");
  }
}

/// Each layout gets its share of the options, all of them together all.
void print_shapes(const Subject& subject, const Types& t) {
  for (const Setting& shape : some_shapes(subject)) {
    for (const Layout layout : all_layouts) {
      const std::size_t share = std::min<std::size_t>(3, subject.variations.size());
      for (std::size_t v = static_cast<std::size_t>(layout) % share; v < subject.variations.size(); v += share)
        print(subject, t, varied(shape, subject.variation(v)), layout, 1, 2, "");
    }
  }
  // A channel is left alone behind the last whole slice, whose size differs between instruction sets.
  if (t != all_f32) return;
  for (const Layout layout : {Layout::contiguous, Layout::channels_last, Layout::reversed})
    print(subject, t, taking(subject, {2, 33, 64, 64}), layout, 1, 2, "");
}

}  // namespace
}  // namespace norma_test

int main() {
  for (const norma_test::Subject& subject : norma_test::subjects()) {
    if (subject.reference == norma_test::reference::spectral_norm) continue;  // whose products are Eigen's, as wide as the machine
    for (const auto& [types, maker] : subject.makers) {
      if (!types.same()) continue;
      norma_test::print_lengths(subject, types);
      norma_test::print_shapes(subject, types);
    }
  }
  return 0;
}
