// Conditional LayerNorm (FiLM, adaptive LayerNorm): scale and shift come from another network, one pair per sample.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <norma/norma.hpp>

namespace {

constexpr std::size_t batch = 2, tokens = 5, channels = 8;

std::vector<float> waves(std::size_t count, float step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = std::sin(step * static_cast<float>(i + 1));
  return values;
}

}  // namespace

int main() {
  // x is (batch, tokens, channels). The condition has an extent of 1 where it is shared: here all tokens of a sample.
  std::vector<float> x_memory = waves(batch * tokens * channels, 0.7F);
  std::vector<float> scale_memory = waves(batch * channels, 0.3F);
  std::vector<float> shift_memory = waves(batch * channels, 0.4F);
  std::vector<float> y_memory(x_memory.size());
  const norma::TensorView<float> x(x_memory.data(), {batch, tokens, channels});
  const norma::TensorView<float> y(y_memory.data(), {batch, tokens, channels});
  const norma::TensorView<float> scale(scale_memory.data(), {batch, 1, channels});
  const norma::TensorView<float> shift(shift_memory.data(), {batch, 1, channels});

  // y = x_hat * (1 + scale) + shift: unit_offset adds the 1, as diffusion transformers write it.
  norma::Saved<float> saved;
  norma::layer_norm(x, y, saved, {.axes = {-1}, .weight = scale, .bias = shift, .unit_offset = true});

  // Backward: the condition's gradients have the condition's shape, summed over what shared it, and go on into its network.
  std::vector<float> dy_memory = waves(x_memory.size(), 0.9F);
  std::vector<float> dx_memory(x_memory.size());
  std::vector<float> dscale_memory(scale_memory.size());
  std::vector<float> dshift_memory(shift_memory.size());
  const norma::TensorView<float> dy(dy_memory.data(), {batch, tokens, channels});
  const norma::TensorView<float> dx(dx_memory.data(), {batch, tokens, channels});
  const norma::TensorView<float> dscale(dscale_memory.data(), {batch, 1, channels});
  const norma::TensorView<float> dshift(dshift_memory.data(), {batch, 1, channels});
  norma::layer_norm_backward(dy, x, saved, dx,
                             {.axes = {-1}, .weight = scale, .unit_offset = true, .weight_grad = dscale, .bias_grad = dshift});

  // The shift of sample 1, channel 3 was added to all 5 tokens of sample 1, so its gradient is the sum of their dy.
  float expected = 0;
  for (int t = 0; t < static_cast<int>(tokens); ++t) expected += dy(1, t, 3);
  std::printf("y(0, 0, 0) = %.4f, d shift(1, 0, 3) = %.4f, by hand %.4f\n", static_cast<double>(y(0, 0, 0)),
              static_cast<double>(dshift(1, 0, 3)), static_cast<double>(expected));
  const float x_hat = (x(0, 0, 0) - saved.mean()[0]) * saved.rstd()[0];
  const bool forward_right = std::abs(y(0, 0, 0) - (x_hat * (1 + scale(0, 0, 0)) + shift(0, 0, 0))) < 1e-5F;
  return forward_right && std::abs(dshift(1, 0, 3) - expected) < 1e-5F ? 0 : 1;
}
