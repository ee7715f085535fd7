// QKNorm by hand: LayerNorm as array expressions, head by head.
#include "peers.hpp"

#include <Eigen/Core>

#include <cmath>

namespace bench::eigen {

Work qk_norm(Pass, const HeadProblem& h, const Problem& p, const Operands<float>& o) {
  return {[=] {
            using Row = Eigen::ArrayXf;
            const Eigen::Map<const Row> weight(o.weight, p.c), bias(o.bias, p.c);
            const index_t steps = h.batch * h.length, row = h.heads * h.head_dim;
            for (index_t which = 0; which < 2; ++which) {
              for (index_t t = 0; t < steps; ++t) {
                const index_t first = h.packed ? (3 * t + which) * row : (which * steps + t) * row;
                for (index_t i = first; i < first + row; i += h.head_dim) {
                  const Eigen::Map<const Row> x(o.x + i, h.head_dim);
                  const float mean = x.mean();
                  const float rstd = 1.0F / std::sqrt((x - mean).square().mean() + static_cast<float>(eps));
                  Eigen::Map<Row>(o.y + i, h.head_dim) = (x - mean) * rstd * weight + bias;
                }
              }
            }
          },
          {}};
}

}  // namespace bench::eigen
