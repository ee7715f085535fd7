// ShapeError: what it is, and the sentence it carries.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <norma/core/extents.hpp>

namespace {

template <class... Parts>
std::string text_of(const Parts&... parts) {
  try {
    norma::raise_shape_error(parts...);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

TEST(ShapeError, IsAnInvalidArgument) {
  static_assert(std::is_base_of_v<std::invalid_argument, norma::ShapeError>);
  EXPECT_THROW(norma::raise_shape_error("text"), norma::ShapeError);
}

TEST(ShapeError, JoinsTextNumbersAndLists) {
  EXPECT_EQ(text_of("GroupNorm: ", 30, " channels do not split into ", 8, " groups"), "GroupNorm: 30 channels do not split into 8 groups");
  EXPECT_EQ(text_of("x has extents ", norma::Extents{4, 7}), "x has extents (4, 7)");
  EXPECT_EQ(text_of(norma::Extents{}, " and ", norma::Extents{-1}), "() and (-1)");
  EXPECT_EQ(text_of(std::string("name"), ' ' == ' ' ? ":" : "", std::size_t(5)), "name:5");
  EXPECT_EQ(text_of(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(text_of("r_max ", 0.5, ", d_max ", -1.0f), "r_max 0.5, d_max -1");
}

}  // namespace
