// What one benchmark case computes: a shape, the operands every implementation shares, and the work to be timed.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>

namespace bench {

using index_t = std::ptrdiff_t;

enum class Pass { forward, train, backward };

/// x seen as (n, c, s). The row norms average over c; a plain matrix of rows has s = 1.
/// Parameters have c elements. Memory is row-major, or (n, s, c) in the layout "nhwc".
struct Problem {
  index_t n = 0;
  index_t c = 0;
  index_t s = 1;
  std::string shape;    ///< as it stands in the benchmark's name: "128x768"
  std::string layout;   ///< "" where only one is possible, else "nchw" or "nhwc"
  index_t groups = 32;  ///< GroupNorm's

  index_t size() const { return n * c * s; }
  bool channels_last() const { return layout == "nhwc"; }
  /// Where element (n, c, s) lies.
  index_t at(index_t in, index_t ic, index_t is) const { return channels_last() ? (in * s + is) * c + ic : (in * c + ic) * s + is; }
};

/// A matrix of n rows with c elements each.
Problem rows(index_t n, index_t c);

/// An image batch (n, c, height, width) in row-major memory.
Problem nchw(index_t n, index_t c, index_t height, index_t width);
/// The same in n, height, width, c order.
Problem nhwc(index_t n, index_t c, index_t height, index_t width);

/// The memory of one case: the same for each of its implementations, 64-byte aligned, finite, touched before it is timed.
template <class T>
struct Operands {
  T *x, *y, *dy, *dx;                          // size() elements
  T *weight, *bias, *weight_grad, *bias_grad;  // c elements
};

/// eps of every case and of every implementation.
inline constexpr double eps = 1e-5;

template <class T>
constexpr const char* dtype_name() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  return std::is_same_v<T, float> ? "f32" : "f64";
}

/// One implementation, ready to run on the operands it was made for; everything prepared is owned by the closures.
struct Work {
  std::function<void()> run;
  std::function<void()> collect;  ///< brings the results to the operands where `run` left them elsewhere; may be empty
};

template <class T>
using Maker = std::function<Work(const Problem&, const Operands<T>&)>;

}  // namespace bench
