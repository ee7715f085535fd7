// Terms of a reduction: what each adds for one element.
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>

#include <norma/stats/terms.hpp>

namespace {

/// The sums after adding these elements about a pivot of 2, in one lane.
template <class Term>
std::array<float, 2> sums_of(std::initializer_list<float> elements) {
  norma::Pack<float> sum[2] = {norma::Pack<float>(0.0f), norma::Pack<float>(0.0f)};
  for (const float x : elements) {
    const norma::Pack<float> value = Term::value(norma::Pack<float>(x), norma::Pack<float>(2.0f));
    if constexpr (Term::sums == 1) {
      Term::add(value, {&sum[0]});
    } else {
      Term::add(value, {&sum[0], &sum[1]});
    }
  }
  std::array<float, 2> result{};
  for (std::size_t s = 0; s < 2; ++s) {
    float lanes[64];
    norma::store(lanes, sum[s]);
    result[s] = lanes[0];
  }
  return result;
}

TEST(Terms, Sum) { EXPECT_EQ(sums_of<norma::SumTerm>({1, 5, -3})[0], 3.0f); }
TEST(Terms, Square) { EXPECT_EQ(sums_of<norma::SquareTerm>({1, 5, -3})[0], 35.0f); }
TEST(Terms, CentredAboutThePivot) {
  const auto sums = sums_of<norma::CentredTerm>({1, 5, -3});
  EXPECT_EQ(sums[0], -3.0f);
  EXPECT_EQ(sums[1], 1.0f + 9.0f + 25.0f);
}

}  // namespace
