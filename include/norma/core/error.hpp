// ShapeError, and the one function that formats and raises it.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <norma/core/config.hpp>

namespace norma {

/// Everything a caller can get wrong at run time: shapes, ranks, axes, counts, lengths. Thrown before anything is written.
class ShapeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Receives the text of a ShapeError.
using ErrorHandler = void (*)(const char*);

inline std::atomic<ErrorHandler> current_error_handler{nullptr};

/// With exceptions disabled, `handler` receives the text of the ShapeError; if it returns, std::abort follows.
NORMA_INLINE void set_error_handler(ErrorHandler handler) noexcept { current_error_handler.store(handler); }

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A list of integers in a message, printed as "(2, 3, 4)".
struct IntegerList {
  const std::ptrdiff_t* first;
  int count;
};

inline void append_part(std::string& text, std::string_view part) { text.append(part.data(), part.size()); }

inline void append_part(std::string& text, std::integral auto part) {
  char digits[24];
  const int length = std::snprintf(digits, sizeof digits, "%lld", static_cast<long long>(part));
  text.append(digits, static_cast<std::size_t>(length));
}

inline void append_part(std::string& text, std::floating_point auto part) {
  char digits[32];
  const int length = std::snprintf(digits, sizeof digits, "%g", static_cast<double>(part));
  text.append(digits, static_cast<std::size_t>(length));
}

inline void append_part(std::string& text, IntegerList list) {
  text.append("(", 1);
  for (int i = 0; i < list.count; ++i) {
    if (i > 0) text.append(", ", 2);
    append_part(text, list.first[i]);
  }
  text.append(")", 1);
}

/// Joins the parts to one sentence and raises it: ShapeError, or the error handler and std::abort without exceptions.
template <class... Parts>
[[noreturn]] NORMA_COLD void raise_shape_error(const Parts&... parts) {
  std::string text;
  (append_part(text, parts), ...);
#if NORMA_EXCEPTIONS
  throw ShapeError(text);
#else
  if (const ErrorHandler handler = current_error_handler.load()) {
    handler(text.c_str());
  } else {
    std::fprintf(stderr, "norma: %s\n", text.c_str());
  }
  std::abort();
#endif
}

/// eps as it is; ShapeError if it is negative or NaN.
inline double checked_eps(const char* layer, double eps) {
  if (!(eps >= 0)) raise_shape_error(layer, ": eps is ", eps, "; 0 or more is wanted");
  return eps;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
