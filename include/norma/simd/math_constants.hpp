// The constants and coefficients of math.hpp, for float and double.
//
// Coefficients are least-squares fits at Chebyshev nodes, one coefficient after the other rounded and the rest fitted again, made with
// mpmath. The errors stated are the largest ones of the rounded coefficients in exact arithmetic, relative.
#pragma once

#include <norma/simd/bits.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What the algorithms know of a type.
template <class T>
struct Math;

template <>
struct Math<float> {
  /// ln 2 in two parts; the first has so few digits that its product with every k is exact.
  static constexpr float log2_e = 1.44269502f, ln2_high = 0.693145752f, ln2_low = 1.42860677e-6f;
  /// What a number is added to for its nearest integer k to be in the lowest bits, as the exponent of 2^k up, or 2^k down.
  static constexpr float up = 0x1p32f, round_up = 12582912.0f + 127 + 32, down = 0x1p-32f, round_down = 12582912.0f + 127 - 32;
  /// Outside, exp is 0 and Inf, z times the logistic function 0 and z, a times the normal tail 0.
  static constexpr float exp_least = -105.0f, exp_most = 90.0f, logistic_least = -109.0f, logistic_most = 32.0f, tail_most = 14.5f;
  /// 2 sqrt(2 / pi) and 0.044715 times it, in two parts, the first of them short; gelu_tanh is 0 and z outside.
  static constexpr float linear = 1.595703125f, linear_low = 6.59966026e-5f, cubic = 0.0713548139f, cubic_low = 2.39883247e-9f;
  static constexpr float cubic_least = -10.85f, cubic_most = 8.0f;
  /// (exp(r) - 1 - r) / r^2 where |r| <= ln(2) / 2: exp(r) - 1 within 2^-26.0.
  static constexpr float exp_terms[] = {0.49999997f, 0.16666542f, 0.0416675285f, 0.00836669188f, 0.00138621498f};
  /// h of a_times_normal_tail around the centre: tail_first + y (tail_terms[0] + ...), for a <= 14.5 within 2^-28.2.
  static constexpr float tail_pole = 3, tail_centre = 0.375f, tail_first = 0.871483922f, tail_first_low = -1.43190846e-8f;
  static constexpr float tail_terms[] = {-1.26484036f, 1.04212642f,    -0.263123244f,  -0.283661544f,   0.139004856f,
                                         0.145580009f, -0.0451835729f, -0.0984254703f, -0.00136264891f, 0.0538520142f};
};

template <>
struct Math<double> {
  static constexpr double log2_e = 1.4426950408889634, ln2_high = 0.6931471805601177, ln2_low = -1.7239444525614835e-13;
  static constexpr double up = 0x1p128, round_up = 6755399441055744.0 + 1023 + 128;
  static constexpr double down = 0x1p-128, round_down = 6755399441055744.0 + 1023 - 128;
  static constexpr double exp_least = -746.0, exp_most = 710.0, logistic_least = -753.0, logistic_most = 40.0, tail_most = 38.75;
  static constexpr double linear = 1.595703125, linear_low = 6.599660573071176e-5, cubic = 0.071354816272600249;
  static constexpr double cubic_low = -6.175149918155315e-19, cubic_least = -22.0, cubic_most = 8.0;
  /// Within 2^-55.5.
  static constexpr double exp_terms[] = {0.50000000000000056,   0.16666666666666599,    0.041666666666573628,  0.0083333333333835188,
                                         0.0013888888932395834, 0.00019841269731672899, 2.4801504399368148e-5, 2.7557396440230346e-6,
                                         2.7626355260752923e-7, 2.5057259199644525e-8};
  /// For a <= 38.75 within 2^-55.3.
  static constexpr double tail_pole = 4, tail_centre = 0.4375, tail_first = 0.83770049437656624, tail_first_low = 2.9354773820045033e-17;
  static constexpr double tail_terms[] = {-1.427809153513518,    1.8515151028955656,    -1.7419899257103493,    1.0269651008398608,
                                          -0.14134159665417301,  -0.30790351983264347,  0.17545053456661489,    0.097527686579771317,
                                          -0.10229364969269537,  -0.047538750703789941, 0.056526365193908489,   0.035549611029829092,
                                          -0.028737662429733656, -0.031115994591661644, 0.0095758098212394664,  0.026152970217055871,
                                          0.0036583052820139232, -0.019189272786936874, -0.0094112369399124377, 0.011711016877132488,
                                          0.0061681379654623027, -0.0049920636893713661};
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
