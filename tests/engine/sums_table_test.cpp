// SumsTable: sums of a set become scale, slope and offset of dx = g * scale + x_hat * slope + offset.
#include <gtest/gtest.h>

#include <norma/engine/sums_table.hpp>

namespace norma_test { namespace {

using norma::index_t;
using norma::Statistic;

template <class T>
class Sums : public testing::Test {
 protected:
  static constexpr index_t columns = 16;
  alignas(64) std::byte memory[static_cast<std::size_t>(norma::SumsTable<T>::bytes(columns))];
  norma::SumsTable<T> table{columns, memory};
};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Sums, Elements);

/// dx of sets of 8 elements with rstd 0.5, weight 3, sums 16 and -32.
template <class T>
void finish(norma::SumsTable<T>& table, const Statistic& statistic, double elements) {
  table.start(5);
  for (index_t s = 0; s < 5; ++s) {
    table.rstd[s] = 0.5;
    table.add(s, 16, -32, 3);
  }
  table.finish(statistic, elements);
}

TYPED_TEST(Sums, EachKindDampsAsItsDerivativeSays) {
  const auto expect = [&](double scale, double slope, double offset, const char* what) {
    for (index_t s = 0; s < 5; ++s) {
      EXPECT_EQ(static_cast<double>(this->table.scale[s]), scale) << what;
      EXPECT_EQ(static_cast<double>(this->table.slope[s]), slope) << what;
      EXPECT_EQ(static_cast<double>(this->table.offset[s]), offset) << what;
    }
  };
  finish(this->table, {Statistic::Kind::deviation, 0}, 8);
  expect(1.5, 2, -1, "rstd * (g * weight - mean(g) - x_hat * mean(g * x_hat))");
  finish(this->table, {Statistic::Kind::mean_only, 0}, 8);
  expect(1.5, 0, -1, "only the mean moves with x");
  finish(this->table, {Statistic::Kind::mean_square, 0}, 8);
  expect(1.5, 2, 0, "no mean is subtracted");
  finish(this->table, {Statistic::Kind::length, 0}, 8);
  expect(1.5, 16, 0, "a sum where others have a mean");
  finish(this->table, {Statistic::Kind::mean_square, 1, true}, 8);
  expect(1.5, 4, 0, "1 / (1 - eps * rstd) with eps outside the root");
  finish(this->table, {Statistic::Kind::deviation, 0}, 1);
  expect(0, 0, 0, "one element is its own mean");
}

}}  // namespace norma_test
