// FiLM on feature maps (Perez et al. 2017, arXiv 1709.07871): each sample brings its own scale and shift for every channel.
#include "map.hpp"

#include <cmath>
#include <vector>

#include <norma/norma.hpp>

namespace {

using conditioning::agree;
using conditioning::Map;

constexpr norma::index_t batch = 2, channels = 6, height = 3, width = 4;

/// Sums of dy and of dy * x_hat over the positions of one sample and channel: what the gradients of its shift and scale must be.
bool gradients_agree(Map& x, Map& dy, Map& dscale, Map& dshift, double mean, double rstd, norma::index_t n, norma::index_t c) {
  const double shift = x.over_positions([&](auto h, auto w) { return dy(n, c, h, w); });
  const double scale = x.over_positions(
      [&](auto h, auto w) { return static_cast<double>(dy(n, c, h, w)) * (static_cast<double>(x(n, c, h, w)) - mean) * rstd; });
  const bool same_scale = agree("  d scale", static_cast<double>(dscale(n, c)), scale);
  return agree("  d shift", static_cast<double>(dshift(n, c)), shift) && same_scale;
}

}  // namespace

int main() {
  // The condition of sample n and channel c serves all positions, so its extents there are 1; its gradient has the same shape.
  Map x(batch, channels, height, width, 0.7F), y(batch, channels, height, width);
  Map dy(batch, channels, height, width, 0.9F), dx(batch, channels, height, width);
  Map scale(batch, channels, 1, 1, 0.3F), shift(batch, channels, 1, 1, 0.4F);
  Map dscale(batch, channels, 1, 1), dshift(batch, channels, 1, 1);
  constexpr norma::index_t n = 1, c = 2, h = 2, w = 3;
  norma::Saved<float> saved;

  // Behind BatchNorm, as in the paper: statistics are the channel's, over the batch; scale and shift are the sample's.
  std::vector<float> running_mean(channels, 0.0F), running_var(channels, 1.0F);
  norma::batch_norm(x.view(), y.view(), saved,
                    {.running_mean = running_mean, .running_var = running_var, .weight = scale.view(), .bias = shift.view()});
  norma::batch_norm_backward(dy.view(), x.view(), saved, dx.view(),
                             {.weight = scale.view(), .weight_grad = dscale.view(), .bias_grad = dshift.view()});
  double mean = 0;
  for (norma::index_t sample = 0; sample < batch; ++sample)
    mean += x.over_positions([&](auto i, auto j) { return x(sample, c, i, j); }) / (batch * height * width);
  double rstd = static_cast<double>(saved.rstd()[c]);
  std::puts("BatchNorm");
  bool right = agree("  mean", static_cast<double>(saved.mean()[c]), mean);
  right &= agree("  running mean", static_cast<double>(running_mean[c]), 0.1 * mean);
  right &= agree("  y", static_cast<double>(y(n, c, h, w)),
                 (static_cast<double>(x(n, c, h, w)) - mean) * rstd * static_cast<double>(scale(n, c)) + static_cast<double>(shift(n, c)));
  right &= gradients_agree(x, dy, dscale, dshift, mean, rstd, n, c);

  // Behind GroupNorm: one more word. Gradients add up, so they start from zeros again.
  constexpr norma::index_t groups = 3, group = c / (channels / groups);
  dscale = Map(batch, channels, 1, 1);
  dshift = Map(batch, channels, 1, 1);
  norma::group_norm(x.view(), y.view(), saved, {.groups = groups, .weight = scale.view(), .bias = shift.view()});
  norma::group_norm_backward(dy.view(), x.view(), saved, dx.view(),
                             {.groups = groups, .weight = scale.view(), .weight_grad = dscale.view(), .bias_grad = dshift.view()});
  mean = 0;
  for (const norma::index_t channel : {c, c + 1})
    mean += x.over_positions([&](auto i, auto j) { return x(n, channel, i, j); }) / (2 * height * width);
  rstd = static_cast<double>(saved.rstd()[n * groups + group]);
  std::puts("GroupNorm");
  right &= agree("  mean", static_cast<double>(saved.mean()[n * groups + group]), mean);
  right &= gradients_agree(x, dy, dscale, dshift, mean, rstd, n, c);
  return right ? 0 : 1;
}
