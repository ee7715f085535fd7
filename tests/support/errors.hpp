// The message of a ShapeError: which layer it names, and which words it has.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <norma/core/error.hpp>

namespace norma_test {

/// f throws a ShapeError whose message, which is returned, begins with the layer's name and has the words.
template <class F>
std::string expect_shape_error(const std::string& layer, const std::vector<std::string>& words, F f) {
  std::string message;
  try {
    f();
    ADD_FAILURE() << "nothing was thrown; expected was a message of " << layer;
    return message;
  } catch (const norma::ShapeError& error) {
    message = error.what();
  }
  EXPECT_EQ(message.rfind(layer + ": ", 0), 0u) << message;
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
  return message;
}

}  // namespace norma_test
