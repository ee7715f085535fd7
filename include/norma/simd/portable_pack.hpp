// PortablePack<T>: a register that is an array, in standard C++. It serves processors that norma has no instructions for, and says what a
// register of norma's does. Its bits are those of AVX2 with FMA, and compilers turn the loops into the vector instructions they know.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <norma/simd/instructions.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// a * b + c in one rounding: std::fma where that is an instruction. Elsewhere it is a call: exact, but slow, and so floats go through
/// double, which holds their product. The sum's last bit is set where it lost something, which makes the second rounding the only one
/// (Boldo and Melquiond 2008).
NORMA_INLINE double fused(double a, double b, double c) { return std::fma(a, b, c); }
NORMA_INLINE float fused(float a, float b, float c) {
#if NORMA_FUSES
  return std::fma(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b), addend = static_cast<double>(c), sum = product + addend;
  const double of_addend = sum - product, lost = (product - (sum - of_addend)) + (addend - of_addend);
  const auto bits = std::bit_cast<std::uint64_t>(sum);
  const bool is_even = (bits & 1u) == 0, towards_zero = (lost < 0) != (sum < 0);
  const std::uint64_t odd = !is_even ? bits : towards_zero ? bits - 1u : bits + 1u;
  return static_cast<float>(lost < 0 || lost > 0 ? std::bit_cast<double>(odd) : sum);  // of Inf and NaN it loses NaN
#endif
}

/// What comparing two registers gives.
template <class T>
struct PortableMask {
  static constexpr int size = 32 / static_cast<int>(sizeof(T));
  bool lane[size];

  NORMA_INLINE bool all() const {
    bool so_far = true;
    for (const bool of_lane : lane) so_far = so_far && of_lane;
    return so_far;
  }
};

/// 8 floats or 4 doubles. Made of nothing, they are anything; made of a number, all are that number.
template <class T>
struct PortablePack {
  using value_type = T;
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static constexpr int size = PortableMask<T>::size;

  alignas(16) T lane[size];

  PortablePack() = default;
  NORMA_INLINE explicit PortablePack(T value) {
    for (T& of_lane : lane) of_lane = value;
  }
  /// f of the lanes of some registers.
  template <class F, class... Packs>
  NORMA_INLINE static PortablePack each(const F& f, const Packs&... packs) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = f(packs.lane[i]...);
    return result;
  }
  NORMA_INLINE static Bits bits(T number) { return std::bit_cast<Bits>(number); }
  NORMA_INLINE static T number(Bits bits) { return std::bit_cast<T>(bits); }

  /// a where the mask holds, b where not.
  NORMA_INLINE static PortablePack select(const PortableMask<T>& mask, const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = mask.lane[i] ? a.lane[i] : b.lane[i];
    return result;
  }

  NORMA_INLINE static PortablePack load_unaligned(const T* p) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = p[i];
    return result;
  }
  NORMA_INLINE void store_unaligned(T* p) const {
    for (int i = 0; i < size; ++i) p[i] = lane[i];
  }

  NORMA_INLINE friend PortablePack operator+(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] + b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortablePack operator-(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] - b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortablePack operator*(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] * b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortablePack operator/(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] / b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortablePack operator&(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = number(bits(a.lane[i]) & bits(b.lane[i]));
    return result;
  }
  NORMA_INLINE friend PortablePack operator|(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = number(bits(a.lane[i]) | bits(b.lane[i]));
    return result;
  }
  NORMA_INLINE friend PortablePack operator^(const PortablePack& a, const PortablePack& b) {
    PortablePack result;
    for (int i = 0; i < size; ++i) result.lane[i] = number(bits(a.lane[i]) ^ bits(b.lane[i]));
    return result;
  }
  NORMA_INLINE friend PortableMask<T> operator<(const PortablePack& a, const PortablePack& b) {
    PortableMask<T> result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] < b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortableMask<T> operator<=(const PortablePack& a, const PortablePack& b) {
    PortableMask<T> result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] <= b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortableMask<T> operator==(const PortablePack& a, const PortablePack& b) {
    PortableMask<T> result;
    for (int i = 0; i < size; ++i) result.lane[i] = a.lane[i] == b.lane[i];
    return result;
  }
  NORMA_INLINE friend PortableMask<T> operator>(const PortablePack& a, const PortablePack& b) { return b < a; }
  NORMA_INLINE friend PortableMask<T> operator>=(const PortablePack& a, const PortablePack& b) { return b <= a; }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
