// Adaptive instance normalization (Huang, Belongie 2017, arXiv 1703.06868): the content's feature map gets the style's mean and standard
// deviation in every channel.
#include "map.hpp"

#include <cmath>
#include <vector>

#include <norma/norma.hpp>

namespace {

using conditioning::agree;
using conditioning::Map;

constexpr norma::index_t batch = 2, channels = 3, height = 8, width = 8;

/// InstanceNorm whose weight is the style's standard deviation and whose bias is its mean. The maps may differ in height and width.
void adain(norma::TensorView<const float> content, norma::TensorView<const float> style, norma::TensorView<float> y) {
  // The training forward leaves the statistics behind; what it writes, the normalized style, nobody needs.
  norma::Saved<float> statistics;
  std::vector<float> unused(static_cast<std::size_t>(style.size()));
  norma::instance_norm(style, norma::TensorView<float>(unused.data(), style.extents()), statistics);
  std::vector<float> sigma;
  for (const float rstd : statistics.rstd()) sigma.push_back(1 / rstd);

  const norma::index_t n = style.extent(0), c = style.extent(1);
  norma::instance_norm(content, y,
                       {.weight = norma::TensorView<const float>(sigma.data(), {n, c, 1, 1}),
                        .bias = norma::TensorView<const float>(statistics.mean().data(), {n, c, 1, 1})});
}

}  // namespace

int main() {
  Map content(batch, channels, height, width, 0.7F), style(batch, channels, 5, 6, 0.13F), y(batch, channels, height, width);
  for (norma::index_t n = 0; n < batch; ++n)
    for (norma::index_t h = 0; h < 5; ++h)
      for (norma::index_t w = 0; w < 6; ++w) style(n, 1, h, w) = 4 + 3 * style(n, 1, h, w);  // a bright channel
  adain(content.view(), style.view(), y.view());

  bool right = true;
  const auto moments = [](Map& map, norma::index_t n, norma::index_t c, double count) {
    const double mean = map.over_positions([&](auto h, auto w) { return map(n, c, h, w); }) / count;
    const auto squared = [&](auto h, auto w) { return std::pow(static_cast<double>(map(n, c, h, w)) - mean, 2); };
    return std::pair(mean, std::sqrt(map.over_positions(squared) / count));
  };
  for (norma::index_t n = 0; n < batch; ++n)
    for (norma::index_t c = 0; c < channels; ++c) {
      const auto [mean, sigma] = moments(y, n, c, height * width);
      const auto [style_mean, style_sigma] = moments(style, n, c, 5 * 6);
      std::printf("sample %d, channel %d\n", static_cast<int>(n), static_cast<int>(c));
      right &= agree("  mean of y and style", mean, style_mean);
      right &= agree("  sigma of y and style", sigma, style_sigma);
    }
  return right ? 0 : 1;
}
