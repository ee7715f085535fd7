// What stands beside a norm, as a second loop of a careful programmer: compiled with -Ofast, which takes exp from the C library's vectors.
#include "peers.hpp"

#include <algorithm>
#include <cmath>

namespace bench::loop {

void add(const float* a, const float* b, float* sum, index_t n) {
  for (index_t i = 0; i < n; ++i) sum[i] = a[i] + b[i];
}

void add_relu(const float* __restrict b, float* __restrict y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] = std::max(y[i] + b[i], 0.0F);
}

void silu(float* y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] = y[i] / (1 + std::exp(-y[i]));
}

void times_silu(const float* __restrict gate, float* __restrict y, index_t n) {
  for (index_t i = 0; i < n; ++i) y[i] *= gate[i] / (1 + std::exp(-gate[i]));
}

void quantize_rows(const float* __restrict v, signed char* __restrict q, float* __restrict scales, index_t rows, index_t length) {
  for (index_t r = 0; r < rows; ++r, v += length, q += length) {
    float most = 0;
    for (index_t i = 0; i < length; ++i) most = std::max(most, std::abs(v[i]));
    scales[r] = most / 127;
    const float inverse = most > 0 ? 127 / most : 0;
    for (index_t i = 0; i < length; ++i) q[i] = static_cast<signed char>(std::nearbyint(v[i] * inverse));
  }
}

}  // namespace bench::loop
