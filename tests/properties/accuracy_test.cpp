// The promised bound on data of any mean and scale, for every length and layout, and on rows built to break a summation.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "support/cases.hpp"
#include "support/compare.hpp"

namespace norma_test {
namespace {

struct MeanCase {
  Entry entry;
  double mean_over_sigma;
  std::ptrdiff_t length;
};

std::vector<MeanCase> mean_cases() {
  std::vector<MeanCase> cases;
  for (const Entry& entry : all_entries()) {
    for (const double mean : {0.0, 1.0, 1e2, 1e4, 1e6}) {
      for (const std::ptrdiff_t length : {1,   2,   3,    7,    16,   31,   33,   64,   100,  127,  129,  255,   256,  257,
                                          600, 768, 1000, 1023, 1024, 1025, 3000, 4096, 8191, 8192, 8193, 16389, 70000}) {
        if (length < entry.family().least_length) continue;
        if (!entry.family().has_axes && length > 10000 && mean != 1e4) continue;  // chunks are those of the norms over rows
        cases.push_back({entry, mean, length});
      }
    }
  }
  return cases;
}

std::string name_of(const MeanCase& c) {
  return c.entry.name() + "_mean_" + std::to_string(static_cast<long>(c.mean_over_sigma)) + "_sigma_length_" + std::to_string(c.length);
}

void PrintTo(const MeanCase& c, std::ostream* out) { *out << name_of(c); }

class AccuracyByMean : public testing::TestWithParam<MeanCase> {};

TEST_P(AccuracyByMean, WithinTheBoundInEveryLayout) {
  const auto& c = GetParam();
  with_element(c.entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = c.entry.get<T>();
    Setting s = c.entry.sets_of(c.length > 10000 ? 1 : c.length > 2000 ? 2 : 8, c.length);
    std::uint64_t seed = 51;
    for (const double sigma : {1.0, 1e-3, 1e3}) {
      const auto inputs = random_inputs<T, T, T>(s, seed++, -c.mean_over_sigma * sigma, sigma);
      expect_correct(norm, s, inputs, run(norm, s, inputs));
    }
    for (const Layout layout : {Layout::reversed, Layout::strided, Layout::flipped, Layout::sliced, Layout::channels_last}) {
      Where where;
      where.layout = layout;
      SCOPED_TRACE(norma_test::name_of(layout));
      const auto inputs = random_inputs<T, T, T>(s, seed++, c.mean_over_sigma);
      expect_correct(norm, s, inputs, run(norm, s, inputs, everywhere(where)));
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, AccuracyByMean, testing::ValuesIn(mean_cases()), CaseName());

/// A row of n elements meant to be hard, and how many times the ordinary bound it may be off (README, Accuracy).
struct HardRow {
  const char* name;
  std::function<std::vector<double>(std::size_t n, Random& random)> make;
  double times;
};

const std::vector<HardRow>& hard_rows() {
  static const std::vector<HardRow> rows = {
      {"one_hot_first",
       [](std::size_t n, Random&) {
         std::vector<double> x(n, 0);
         x[0] = 1;
         return x;
       },
       4},
      {"one_hot_last",
       [](std::size_t n, Random&) {
         std::vector<double> x(n, 0);
         x[n - 1] = 1;
         return x;
       },
       4},
      {"one_hot_anywhere",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n, 0);
         x[r.below(n)] = 1;
         return x;
       },
       4},
      {"one_hot_on_constant",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n, 5);
         x[r.below(n)] = 6;
         return x;
       },
       4},
      {"huge_outlier",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n);
         for (double& v : x) v = r.normal();
         x[r.below(n)] = 1e5;
         return x;
       },
       4},
      {"long_constant_then_noise",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n, 3);
         for (std::size_t i = n - n / 8; i < n; ++i) x[i] = 3 + r.normal();
         return x;
       },
       4},
      {"noise_then_long_constant",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n, 3);
         for (std::size_t i = 0; i < n / 8; ++i) x[i] = 3 + r.normal();
         return x;
       },
       4},
      {"two_levels",
       [](std::size_t n, Random&) {
         std::vector<double> x(n, -1);
         for (std::size_t i = n / 2; i < n; ++i) x[i] = 1;
         return x;
       },
       4},
      {"ramp",
       [](std::size_t n, Random&) {
         std::vector<double> x(n);
         for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<double>(i);
         return x;
       },
       4},
      {"first_256_far_from_the_rest",
       [](std::size_t n, Random& r) {
         std::vector<double> x(n);
         for (std::size_t i = 0; i < n; ++i) x[i] = r.normal() + (i < 256 ? 1e6 : 0);
         return x;
       },
       100},
  };
  return rows;
}

struct HardCase {
  Entry entry;
  std::size_t row;
  std::ptrdiff_t length;
};

std::vector<HardCase> hard_cases() {
  std::vector<HardCase> cases;
  for (const Entry& entry : computing_entries()) {
    for (std::size_t row = 0; row < hard_rows().size(); ++row) {
      for (const std::ptrdiff_t length : {2, 17, 64, 129, 300, 1000, 1024, 5000, 8193, 20000, 70000}) {
        if (entry.family().has_axes || length <= 20000) cases.push_back({entry, row, length});
      }
    }
  }
  return cases;
}

std::string name_of(const HardCase& c) { return c.entry.name() + "_" + hard_rows()[c.row].name + "_length_" + std::to_string(c.length); }

void PrintTo(const HardCase& c, std::ostream* out) { *out << name_of(c); }

class AccuracyOnHardRows : public testing::TestWithParam<HardCase> {};

TEST_P(AccuracyOnHardRows, WithinItsMultipleOfTheBound) {
  const auto& c = GetParam();
  with_element(c.entry, [&](auto zero) {
    using T = decltype(zero);
    const auto& norm = c.entry.get<T>();
    Random random(static_cast<std::uint64_t>(c.length));
    const HardRow& row = hard_rows()[c.row];
    const Setting s = c.entry.sets_of(3, c.length);
    auto inputs = random_inputs<T, T, T>(s, 52);
    const auto sets = norm.reference(problem(s, inputs)).sets;
    constexpr double scales[] = {1.0, 1e-4, 300.0};
    for (std::size_t set = 0; set < sets.size(); ++set) {
      const std::vector<double> x = row.make(static_cast<std::size_t>(c.length), random);
      for (std::size_t i = 0; i < x.size(); ++i) inputs.x[sets[set][i]] = static_cast<T>(x[i] * scales[set]);
    }
    expect_correct(norm, s, inputs, run(norm, s, inputs), static_cast<real>(row.times));
    Where where;
    where.layout = norm.family.has_axes ? Layout::reversed : Layout::channels_last;
    expect_correct(norm, s, inputs, run(norm, s, inputs, everywhere(where)), static_cast<real>(row.times));
  });
}
INSTANTIATE_TEST_SUITE_P(All, AccuracyOnHardRows, testing::ValuesIn(hard_cases()), CaseName());

}  // namespace
}  // namespace norma_test
