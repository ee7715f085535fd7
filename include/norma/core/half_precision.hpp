// bfloat16 and float16: 16-bit numbers as they lie in memory. Arithmetic happens in float.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include <norma/core/config.hpp>

namespace norma {

/// The float that value is, or of the two around it the one whose last bit is odd. Rounded to fewer bits, it gives what rounding the double
/// once would have given.
NORMA_INLINE constexpr float rounded_to_odd(double value) noexcept {
  const float nearest = static_cast<float>(value);
  const double back = static_cast<double>(nearest);
  const auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (back == value || back != back || (bits & 1u) != 0) return nearest;
  const bool too_large = (back < 0 ? -back : back) > (value < 0 ? -value : value);
  return std::bit_cast<float>(too_large ? bits - 1u : bits + 1u);
}

/// The upper half of a float: 8 bits of exponent, 7 of fraction. From float to the nearest, ties to even; NaN stays NaN, what is too large
/// is Inf, subnormals are kept.
struct bfloat16 {
  std::uint16_t bits;  ///< as they lie in memory

  bfloat16() = default;
  /// To the nearest, ties to even; Inf where too large.
  NORMA_INLINE explicit constexpr bfloat16(float value) noexcept : bits(of(std::bit_cast<std::uint32_t>(value))) {}
  /// Exact.
  NORMA_INLINE constexpr operator float() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

 private:
  NORMA_INLINE static constexpr std::uint16_t of(std::uint32_t value) noexcept {
    if ((value & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(value >> 16 | 0x40u);
    return static_cast<std::uint16_t>((value + 0x7FFFu + (value >> 16 & 1u)) >> 16);
  }
};

/// IEEE 754's binary16: 5 bits of exponent, 10 of fraction. Rounding as above.
struct float16 {
  std::uint16_t bits;  ///< as they lie in memory

  float16() = default;
  /// To the nearest, ties to even; Inf where too large.
  NORMA_INLINE explicit constexpr float16(float value) noexcept : bits(of(std::bit_cast<std::uint32_t>(value))) {}
  /// Exact.
  NORMA_INLINE constexpr operator float() const noexcept {
    const std::uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7FFFu;
    if (magnitude >= 0x7C00u) {  // Inf, or NaN, which processors make quiet
      return std::bit_cast<float>(sign | 0x7F800000u | (magnitude & 0x3FFu) << 13 | (magnitude > 0x7C00u ? 0x400000u : 0u));
    }
    if (magnitude >= 0x400u) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
    const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
    return sign != 0 ? -subnormal : subnormal;
  }

 private:
  NORMA_INLINE static constexpr std::uint16_t of(std::uint32_t value) noexcept {
    const std::uint32_t sign = value >> 16 & 0x8000u, magnitude = value & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u | (magnitude >> 13 & 0x3FFu));
    if (magnitude >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // from 65,520 on
    if (magnitude >= 0x38800000u) {
      return static_cast<std::uint16_t>(sign | (magnitude - 0x38000000u + 0xFFFu + (magnitude >> 13 & 1u)) >> 13);
    }
    // A float between 0.5 and 1 has the spacing of these subnormals, so that adding 0.5 rounds to them.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
};

static_assert(sizeof(bfloat16) == 2 && sizeof(float16) == 2);

}  // namespace norma

template <>
struct std::numeric_limits<norma::bfloat16> {
  static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false, has_infinity = true,
                        has_quiet_NaN = true, is_iec559 = false;
  static constexpr int digits = 8, radix = 2, min_exponent = -125, max_exponent = 128;
  static constexpr norma::bfloat16 epsilon() noexcept { return norma::bfloat16(0x1p-7f); }
  static constexpr norma::bfloat16(min)() noexcept { return norma::bfloat16(0x1p-126f); }
  static constexpr norma::bfloat16(max)() noexcept { return norma::bfloat16(0x1.FEp127f); }
  static constexpr norma::bfloat16 lowest() noexcept { return norma::bfloat16(-0x1.FEp127f); }
  static constexpr norma::bfloat16 denorm_min() noexcept { return norma::bfloat16(0x1p-133f); }
  static constexpr norma::bfloat16 infinity() noexcept { return norma::bfloat16(std::numeric_limits<float>::infinity()); }
  static constexpr norma::bfloat16 quiet_NaN() noexcept { return norma::bfloat16(std::numeric_limits<float>::quiet_NaN()); }
};

template <>
struct std::numeric_limits<norma::float16> {
  static constexpr bool is_specialized = true, is_signed = true, is_integer = false, is_exact = false, has_infinity = true,
                        has_quiet_NaN = true, is_iec559 = true;
  static constexpr int digits = 11, radix = 2, min_exponent = -13, max_exponent = 16;
  static constexpr norma::float16 epsilon() noexcept { return norma::float16(0x1p-10f); }
  static constexpr norma::float16(min)() noexcept { return norma::float16(0x1p-14f); }
  static constexpr norma::float16(max)() noexcept { return norma::float16(65504.0f); }
  static constexpr norma::float16 lowest() noexcept { return norma::float16(-65504.0f); }
  static constexpr norma::float16 denorm_min() noexcept { return norma::float16(0x1p-24f); }
  static constexpr norma::float16 infinity() noexcept { return norma::float16(std::numeric_limits<float>::infinity()); }
  static constexpr norma::float16 quiet_NaN() noexcept { return norma::float16(std::numeric_limits<float>::quiet_NaN()); }
};
