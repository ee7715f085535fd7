// Element, parameter and arithmetic types.
#include <gtest/gtest.h>

#include <type_traits>

#include <norma/core/scalar.hpp>

namespace {

static_assert(norma::Element<float> && norma::Element<double> && !norma::Element<int> && !norma::Element<long double>);
static_assert(norma::Parameter<float> && norma::Parameter<double> && !norma::Parameter<int>);
static_assert(std::is_same_v<norma::Wider<float, double>, double> && std::is_same_v<norma::Wider<double, float>, double>);
static_assert(std::is_same_v<norma::Wider<float, float>, float>);
static_assert(std::is_same_v<norma::ParameterFor<float>, float> && std::is_same_v<norma::ParameterFor<const double>, double>);

TEST(ElementType, ReturnsToItsType) {
  const auto size = [](auto* type) { return sizeof(*type); };
  EXPECT_EQ(norma::with_element_type(norma::element_type_of<const float>, size), sizeof(float));
  EXPECT_EQ(norma::with_element_type(norma::element_type_of<double>, size), sizeof(double));
}

}  // namespace
