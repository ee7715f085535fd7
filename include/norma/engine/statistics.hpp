// From moments to the coefficients of a set, and to the arrays that a backward pass reads them from.
#pragma once

#include <concepts>
#include <limits>

#include <norma/kernels/map_run.hpp>
#include <norma/simd/convert.hpp>
#include <norma/stats/moments.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The algebra of a plain norm, given by its layer: which second moment is taken (about the mean or about 0) and what becomes of it.
///   centred            true: variance, false: mean square
///   rstd(m)            the factor that x - mean is multiplied with; m is a double or a Pack<double>
///   scaled(s)          the same norm for inputs multiplied by s, a power of two
///   pull(rstd)         backward: the factor of the mean(g * x_hat) term; 1 unless rstd is not (m + eps)^(-1/2)
template <class F>
concept Formula = requires(const F& f, double v) {
  { F::centred } -> std::convertible_to<bool>;
  { f.rstd(v) } -> std::convertible_to<double>;
  { f.scaled(v) } -> std::convertible_to<F>;
  { f.pull(v) } -> std::convertible_to<double>;
};

/// rstd = 1 / sqrt(variance + eps): the algebra of every norm that subtracts the mean.
struct InverseSigma {
  static constexpr bool centred = true;
  double eps;

  template <class V>
  NORMA_INLINE V rstd(const V& variance) const {
    return divide(V(1.0), square_root(variance + V(eps)));
  }
  InverseSigma scaled(double s) const { return {eps * s * s}; }
  template <class V>
  NORMA_INLINE V pull(const V&) const {
    return V(1.0);
  }
};

/// What normalizing needs to know of one set. The mean has two parts because one T cannot hold it when |mean| >> sigma.
struct SetStatistics {
  SplitSum<> mean{0, 0};
  double rstd = 0;
  double second = 0;  // variance (population), or mean square
};

/// Statistics per set in the parameter type P, each as high + low; null pointers where nobody asked.
template <class P>
struct StatisticArrays {
  P* mean = nullptr;
  P* mean_low = nullptr;
  P* rstd = nullptr;
  P* rstd_low = nullptr;
  double* second = nullptr;

  NORMA_INLINE void put(index_t set, const SetStatistics& s) const {
    if (second != nullptr) second[set] = s.second;
    if (rstd == nullptr) return;
    rstd[set] = rounded<P>(s.rstd);
    rstd_low[set] = static_cast<P>(s.rstd - static_cast<double>(rstd[set]));
    if (mean == nullptr) return;
    mean[set] = rounded<P>(s.mean.high);
    mean_low[set] = static_cast<P>((s.mean.high - static_cast<double>(mean[set])) + s.mean.low);
  }

  /// The arrays from set `first` on.
  StatisticArrays from(index_t first) const {
    const auto moved = [&](auto* p) { return p == nullptr ? p : p + first; };
    return {moved(mean), moved(mean_low), moved(rstd), moved(rstd_low), moved(second)};
  }

  /// One set (V = double), or pack_size<double> neighbours (V = Pack<double>).
  template <class V>
  NORMA_INLINE SplitSum<V> get_mean(index_t set) const {
    if (mean == nullptr) return {V(0.0), V(0.0)};
    return {read<V>(mean + set), read<V>(mean_low + set)};
  }
  template <class V>
  NORMA_INLINE V get_rstd(index_t set) const {
    if constexpr (sizeof(P) == sizeof(double)) {
      return read<V>(rstd + set);
    } else {
      return read<V>(rstd + set) + read<V>(rstd_low + set);
    }
  }

 private:
  template <class V>
  NORMA_INLINE static V read(const P* p) {
    if constexpr (std::is_same_v<V, double>) {
      return static_cast<double>(*p);
    } else {
      return load_doubles(p);
    }
  }
};

/// Sums of squares in A neither overflowed nor sank into subnormals where that would show, if both are below these bounds. NaN is not.
template <class A>
inline constexpr double ordinary_second = sizeof(A) == 4 ? 0x1p120 : 0x1p1000;
template <class A>
inline constexpr double ordinary_rstd = sizeof(A) == 4 ? 0x1p40 : 0x1p450;

/// Of one set, rstd being what its formula gives: 0 where a constant set has no eps, or squares sank to 0.
template <class A>
NORMA_INLINE bool is_ordinary(double second, double rstd) {
  return second < ordinary_second<A> && rstd < ordinary_rstd<A> && rstd > 0;
}

/// What an absent weight and an absent bias amount to: the bits of x_hat stay as they are, the sign of a zero included.
template <class A>
inline constexpr A one = A(1);
template <class A>
inline constexpr A negative_zero = -A(0);

/// A constant set without eps has rstd = 1 / 0; its x_hat is 0 all the same.
NORMA_INLINE double finite_rstd(double second, double rstd) { return second == 0 && rstd > std::numeric_limits<double>::max() ? 0 : rstd; }

/// A power of two that brings numbers as large as `largest` near 1, or 1 if there is none such (0, Inf, NaN).
template <class A>
inline A scale_to_one(A largest) {
  if (!(largest > A(0)) || !(largest <= std::numeric_limits<A>::max())) return A(1);
  int exponent = 0;
  std::frexp(largest, &exponent);
  constexpr int most = std::numeric_limits<A>::max_exponent - 2;
  return std::ldexp(A(1), exponent < -most ? most : -exponent);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
