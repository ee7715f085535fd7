// A part of the two-flags program: norma's layers on plain arrays, behind functions that no instruction set can leak through.
#pragma once

namespace two_flags {

/// x and dy are (rows, length); what a half computes from them is written behind these pointers.
struct Arrays {
  int rows, length;
  const float *x, *dy, *weight, *bias;
  float *y, *dx, *weight_grad, *bias_grad;  // bias_grad and bias are unused by RMSNorm
};

struct Half {
  const char* (*instruction_set)();
  void (*layer_norm)(const Arrays&);
  void (*rms_norm)(const Arrays&);
  void (*fused)(const Arrays&);  ///< LayerNorm with a residual and an activation
};

// Defined by half.cpp, compiled for plain x86-64, for AVX2 and FMA, for the portable register on plain x86-64, and with norma::compiled.
extern const Half sse2, avx2, portable, compiled;

}  // namespace two_flags
