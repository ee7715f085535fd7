// Terms of a reduction: what each adds for one element.
#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include <norma/stats/terms.hpp>

namespace {

/// The sums after adding these elements about a pivot of 2, in one lane.
template <class Term>
std::vector<float> sums_of(std::initializer_list<float> elements) {
  using Pack = norma::Pack<float>;
  std::vector<Pack> sum(Term::sums, Pack(0.0f));
  Pack* to[Term::sums];
  for (std::size_t s = 0; s < Term::sums; ++s) to[s] = &sum[s];
  for (const float x : elements) Term::add(Term::value(Pack(x), Pack(2.0f)), to);
  std::vector<float> result;
  for (const Pack& each : sum) {
    float lanes[64];
    norma::store(lanes, each);
    result.push_back(lanes[0]);
  }
  return result;
}

TEST(Terms, WhatEachSums) {
  EXPECT_EQ(sums_of<norma::SumTerm>({1, 5, -3}), (std::vector<float>{3}));
  EXPECT_EQ(sums_of<norma::SquareTerm>({1, 5, -3}), (std::vector<float>{35}));
  EXPECT_EQ(sums_of<norma::CentredTerm>({1, 5, -3}), (std::vector<float>{-3, 1 + 9 + 25})) << "about the pivot";
}

}  // namespace
