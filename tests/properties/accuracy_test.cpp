// The promised bound on data of any mean and scale, for every length and layout, and on sets built to break a summation.
#include <cmath>
#include <functional>

#include "support/property.hpp"

namespace norma_test { namespace {

/// Data of any mean, scale and layout.
NORMA_PROPERTY(Accuracy) {
  for_plain_types([&](const Types& t) {
    for (const double mean : {0.0, 1.0, 1e2, 1e4, 1e6}) {
      for (const std::ptrdiff_t length :
           lengths_of(subject, {1,   2,   3,    7,    16,   31,   33,   64,   100,  127,  129,  255,   256,  257,
                                600, 768, 1000, 1023, 1024, 1025, 3000, 4096, 8191, 8192, 8193, 16389, 70000})) {
        if (!subject.has_axes && length > 10000 && mean != 1e4) continue;  // chunks are those of the norms over rows
        const std::string name =
            "mean_" + std::to_string(static_cast<long>(mean)) + "_sigma_length_" + std::to_string(length) + "_" + name_of(t);
        cases.add(name, [=, &subject] {
          const Setting s = sets_of(subject, length > 10000 ? 1 : length > 2000 ? 2 : 8, length);
          std::uint64_t seed = 51;
          for (const double sigma : {1.0, 1e-3, 1e3}) {
            const Data data = random_data(subject, t, s, seed++, -mean * sigma, sigma);
            const Exact exact(subject, t, s, data);
            expect_correct(run(subject, t, s, data), exact);
            if (length > 10000) break;
            if (sigma != 1) continue;
            for (const Layout layout : {Layout::reversed, Layout::strided, Layout::flipped, Layout::sliced, Layout::channels_last}) {
              SCOPED_TRACE(name_of(layout));
              expect_correct(run(subject, t, s, data, everywhere(lying(layout))), exact);
            }
          }
        });
      }
    }
  });
}

/// A set of n elements meant to be hard, and how many times the ordinary bound it may be off (README, Accuracy).
struct HardRow {
  const char* name;
  std::function<double(std::size_t i, std::size_t n, std::size_t anywhere, Random& random)> element;
  double times;
};

const std::vector<HardRow>& hard_rows() {
  using Size = std::size_t;
  static const std::vector<HardRow> rows = {
      {"one_hot_first", [](Size i, Size, Size, Random&) { return i == 0 ? 1 : 0; }, 4},
      {"one_hot_last", [](Size i, Size n, Size, Random&) { return i == n - 1 ? 1 : 0; }, 4},
      {"one_hot_anywhere", [](Size i, Size, Size hot, Random&) { return i == hot ? 1 : 0; }, 4},
      {"one_hot_on_constant", [](Size i, Size, Size hot, Random&) { return i == hot ? 6 : 5; }, 4},
      {"huge_outlier", [](Size i, Size, Size hot, Random& r) { return i == hot ? 1e5 : r.normal(); }, 4},
      {"long_constant_then_noise", [](Size i, Size n, Size, Random& r) { return i >= n - n / 8 ? 3 + r.normal() : 3; }, 4},
      {"noise_then_long_constant", [](Size i, Size n, Size, Random& r) { return i < n / 8 ? 3 + r.normal() : 3; }, 4},
      {"two_levels", [](Size i, Size n, Size, Random&) { return i < n / 2 ? -1 : 1; }, 4},
      {"ramp", [](Size i, Size, Size, Random&) { return static_cast<double>(i); }, 4},
      {"first_256_far_from_the_rest", [](Size i, Size, Size, Random& r) { return r.normal() + (i < 256 ? 1e6 : 0); }, 100},
  };
  return rows;
}

NORMA_PROPERTY(HardRows) {
  for_plain_types([&](const Types& t) {
    for (const HardRow& row : hard_rows()) {
      for (const std::ptrdiff_t length : {2, 17, 64, 129, 300, 1000, 1024, 5000, 8193, 20000, 70000}) {
        const bool is_long = subject.has_axes && subject.function && t == all_f32;
        if (length > (is_long ? 70000 : subject.function ? 20000 : 5000)) continue;
        cases.add(std::string(row.name) + "_length_" + std::to_string(length) + "_" + name_of(t), [=, &subject, &row] {
          const auto n = static_cast<std::size_t>(length);
          Random random(n);
          const Setting s = sets_of(subject, 3, length);
          Data data = random_data(subject, t, s, 52);
          const std::vector<reference::Moments> sets = moments_of(subject, s, data);
          constexpr double scales[] = {1.0, 1e-4, 300.0};
          for (std::size_t set = 0; set < sets.size(); ++set) {
            const std::size_t anywhere = random.below(n);
            for (std::size_t i = 0; i < sets[set].set.size(); ++i)
              data.x[0][sets[set].set[i]] = rounded_to(t.x, row.element(i, n, anywhere, random) * scales[set % 3]);
          }
          const Exact exact(subject, t, s, data);
          const auto times = static_cast<real>(row.times);
          expect_correct(run(subject, t, s, data), exact, times);
          expect_correct(run(subject, t, s, data, everywhere(lying(lanes_layout(subject)))), exact, times);
        });
      }
    }
  });
}

/// Float data whose mean is 3e4 or 3e5 sigma from 0: numbers that x is exact in, so that only the arithmetic rounds, and that has the low
/// part of every mean. No kappa: results are as good as those of data around 0.
NORMA_PROPERTY(FarMean) {
  for (const std::ptrdiff_t length : {16, 33, 100, 768, 1025, 9000}) {
    for (const double mean : {3e4, -3e4, 3e5, -3e5}) {
      cases.add(std::to_string(length) + (mean < 0 ? "_minus_" : "_plus_") + std::to_string(std::lround(std::abs(mean))), [=, &subject] {
        Setting s = sets_of(subject, 9, length);
        s.bias = Form::absent;
        const Data data = random_data(subject, all_f32, s, 57, mean);
        const Exact exact(subject, all_f32, s, data);
        for (const Layout layout : {Layout::contiguous, lanes_layout(subject), Layout::strided}) {
          SCOPED_TRACE(name_of(layout));
          const Rows rows = run(subject, all_f32, s, data, everywhere(lying(layout)));
          for (const char* const row : {"y", "y of training", "dx", "d weight"}) {
            if (!rows.has(row)) continue;
            const Values& values = rows.at(row);
            const reference::Numbers& numbers = exact.rows.at(row).numbers;
            real worst = 0, largest = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
              worst = std::max(worst, std::abs(values[i] - numbers[i].value));
              largest = std::max(largest, std::abs(numbers[i].value));
            }
            EXPECT_LE(worst, 16 * real{epsilon_of(Element::f32)} * largest) << row;
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace norma_test
