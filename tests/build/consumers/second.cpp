// A second translation unit that includes all of norma: anything in the headers that is not inline breaks the link.
#include <norma/norma.hpp>
#include <vector>

std::vector<float> normalized_elsewhere(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  norma::LayerNorm<float> ln({x.size()});
  ln(x, y);
  return y;
}
