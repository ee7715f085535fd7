// Element, parameter and arithmetic types.
#include <gtest/gtest.h>

#include <type_traits>

#include <norma/core/scalar.hpp>

namespace {

static_assert(norma::Element<float> && norma::Element<const double> && !norma::Element<int> && !norma::Element<long double>);
static_assert(norma::Element<norma::float16> && norma::Element<const norma::bfloat16> && !norma::Element<std::uint16_t>);
static_assert(norma::Parameter<float> && norma::Parameter<double> && !norma::Parameter<int>);
static_assert(std::is_same_v<norma::Arithmetic<float, double>, double> && std::is_same_v<norma::Arithmetic<double, float>, double>);
static_assert(std::is_same_v<norma::Arithmetic<float, float, double>, float>);
static_assert(std::is_same_v<norma::Arithmetic<float, norma::float16, norma::float16>, float>);
static_assert(std::is_same_v<norma::Arithmetic<float, norma::bfloat16, float, double>, double>);
static_assert(std::is_same_v<norma::Arithmetic<double, norma::float16>, double>);
static_assert(std::is_same_v<norma::ParameterFor<norma::bfloat16>, float> && std::is_same_v<norma::ParameterFor<float>, float> &&
              std::is_same_v<norma::ParameterFor<const double>, double>);

TEST(ParameterType, ReturnsToItself) {
  const auto size = [](auto* type) { return sizeof(*type); };
  EXPECT_EQ(norma::with_parameter_type(norma::element_type_of<const float>, size), sizeof(float));
  EXPECT_EQ(norma::with_parameter_type(norma::element_type_of<double>, size), sizeof(double));
}

}  // namespace
