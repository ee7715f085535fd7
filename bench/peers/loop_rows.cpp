// LayerNorm, RMSNorm and QKNorm as a careful programmer writes them for one layout and no other: sum and sum of squares in one pass, in the
// element type, compiled with -Ofast (which is why no header of norma is included: it refuses that). Fast, and far off where the mean is
// large against the deviation: --accuracy shows by how much.
#include "peers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

namespace bench::loop {
namespace {

template <class T>
struct Statistics {
  T mean, rstd;
};

template <bool centred, class T>
Statistics<T> statistics_of(T sum, T squares, index_t count) {
  const T mean = centred ? sum / static_cast<T>(count) : T(0);
  const T variance = std::max(squares / static_cast<T>(count) - mean * mean, T(0));
  return {mean, 1 / std::sqrt(variance + static_cast<T>(eps))};
}

template <bool centred, class T>
Statistics<T> row_statistics(const T* x, index_t length) {
  T sum = 0, squares = 0;
  for (index_t i = 0; i < length; ++i) {
    if (centred) sum += x[i];
    squares += x[i] * x[i];
  }
  return statistics_of<centred>(sum, squares, length);
}

template <bool centred, class T>
void normalize_row(const T* __restrict x, T* __restrict y, const T* __restrict weight, const T* __restrict bias, index_t length,
                   Statistics<T> s) {
  const T shift = -s.mean * s.rstd;
  for (index_t i = 0; i < length; ++i) y[i] = centred ? (x[i] * s.rstd + shift) * weight[i] + bias[i] : x[i] * s.rstd * weight[i];
}

/// Adds to the gradients. dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat)) with g = dy * weight; mean(g) only where centred.
template <bool centred, class T>
void backward_row(const T* __restrict dy, const T* __restrict x, T* __restrict dx, const T* __restrict weight, T* __restrict weight_grad,
                  T* __restrict bias_grad, index_t length, Statistics<T> s) {
  T sum = 0, slope = 0;
  for (index_t i = 0; i < length; ++i) {
    const T x_hat = (x[i] - s.mean) * s.rstd, g = dy[i] * weight[i];
    if (centred) sum += g;
    slope += g * x_hat;
    weight_grad[i] += dy[i] * x_hat;
    if (centred) bias_grad[i] += dy[i];
  }
  slope *= s.rstd / static_cast<T>(length);
  const T offset = sum / static_cast<T>(length) - slope * s.mean;
  for (index_t i = 0; i < length; ++i) dx[i] = s.rstd * (dy[i] * weight[i] - x[i] * slope - offset);
}

template <bool centred, class T>
void forward_rows(const Problem& p, const Operands<T>& o) {
  for (index_t n = 0; n < p.n; ++n)
    normalize_row<centred>(o.x + n * p.c, o.y + n * p.c, o.weight, o.bias, p.c, row_statistics<centred>(o.x + n * p.c, p.c));
}

template <bool centred, class T>
void train_rows(const Problem& p, const Operands<T>& o, Statistics<T>* saved) {
  for (index_t n = 0; n < p.n; ++n) {
    saved[n] = row_statistics<centred>(o.x + n * p.c, p.c);
    normalize_row<centred>(o.x + n * p.c, o.y + n * p.c, o.weight, o.bias, p.c, saved[n]);
  }
}

template <bool centred, class T>
void backward_rows(const Problem& p, const Operands<T>& o, const Statistics<T>* saved) {
  std::fill_n(o.weight_grad, p.c, T(0));
  if (centred) std::fill_n(o.bias_grad, p.c, T(0));
  for (index_t n = 0; n < p.n; ++n) {
    const index_t first = n * p.c;
    backward_row<centred>(o.dy + first, o.x + first, o.dx + first, o.weight, o.weight_grad, o.bias_grad, p.c, saved[n]);
  }
}

// Over the channels of (n, c, s): so many positions at once, whose sums lie side by side and whose elements stay in the caches.
constexpr index_t tile = 256;

template <class T>
struct Tile {
  T first[tile], second[tile];  // sums, then what the map needs of each position
};

template <bool centred, class T>
void sum_tile(const T* __restrict x, const Problem& p, index_t width, Tile<T>& t) {
  std::fill_n(t.first, width, T(0));
  std::fill_n(t.second, width, T(0));
  for (index_t c = 0; c < p.c; ++c, x += p.s)
    for (index_t i = 0; i < width; ++i) {
      if (centred) t.first[i] += x[i];
      t.second[i] += x[i] * x[i];
    }
}

template <bool centred, class T>
void forward_channels(const Problem& p, const Operands<T>& o, Statistics<T>* saved) {
  Tile<T> t;
  for (index_t n = 0; n < p.n; ++n)
    for (index_t begin = 0; begin < p.s; begin += tile) {
      const index_t width = std::min(tile, p.s - begin);
      sum_tile<centred>(o.x + n * p.c * p.s + begin, p, width, t);
      for (index_t i = 0; i < width; ++i) {
        const Statistics<T> s = statistics_of<centred>(t.first[i], t.second[i], p.c);
        if (saved != nullptr) saved[n * p.s + begin + i] = s;
        t.first[i] = -s.mean * s.rstd;
        t.second[i] = s.rstd;
      }
      for (index_t c = 0; c < p.c; ++c) {
        const T* __restrict x = o.x + (n * p.c + c) * p.s + begin;
        T* __restrict y = o.y + (n * p.c + c) * p.s + begin;
        const T weight = o.weight[c], bias = centred ? o.bias[c] : T(0);
        for (index_t i = 0; i < width; ++i) y[i] = (x[i] * t.second[i] + t.first[i]) * weight + bias;
      }
    }
}

template <bool centred, class T>
void backward_channels(const Problem& p, const Operands<T>& o, const Statistics<T>* saved) {
  std::fill_n(o.weight_grad, p.c, T(0));
  if (centred) std::fill_n(o.bias_grad, p.c, T(0));
  Tile<T> t;
  T mean[tile], rstd[tile];
  for (index_t n = 0; n < p.n; ++n)
    for (index_t begin = 0; begin < p.s; begin += tile) {
      const index_t width = std::min(tile, p.s - begin), corner = n * p.c * p.s + begin;
      for (index_t i = 0; i < width; ++i) {
        mean[i] = saved[n * p.s + begin + i].mean;
        rstd[i] = saved[n * p.s + begin + i].rstd;
        t.first[i] = t.second[i] = 0;
      }
      for (index_t c = 0; c < p.c; ++c) {
        const T* __restrict dy = o.dy + corner + c * p.s, * __restrict x = o.x + corner + c * p.s;
        const T weight = o.weight[c];
        T weight_grad = 0, bias_grad = 0;
        for (index_t i = 0; i < width; ++i) {
          const T product = dy[i] * (x[i] - mean[i]) * rstd[i];
          weight_grad += product;
          bias_grad += dy[i];
          if (centred) t.first[i] += dy[i] * weight;
          t.second[i] += product * weight;
        }
        o.weight_grad[c] += weight_grad;
        if (centred) o.bias_grad[c] += bias_grad;
      }
      for (index_t i = 0; i < width; ++i) {
        t.second[i] *= rstd[i] / static_cast<T>(p.c);
        t.first[i] = t.first[i] / static_cast<T>(p.c) - t.second[i] * mean[i];
      }
      for (index_t c = 0; c < p.c; ++c) {
        const T* __restrict dy = o.dy + corner + c * p.s, * __restrict x = o.x + corner + c * p.s;
        T* __restrict dx = o.dx + corner + c * p.s;
        const T weight = o.weight[c];
        for (index_t i = 0; i < width; ++i) dx[i] = rstd[i] * (dy[i] * weight - x[i] * t.second[i] - t.first[i]);
      }
    }
}

template <bool centred, class T>
Work row_norm(Pass pass, const Problem& p, const Operands<T>& o) {
  if (pass == Pass::forward) {
    if (p.s == 1) return {[p, o] { forward_rows<centred>(p, o); }, {}};
    return {[p, o] { forward_channels<centred, T>(p, o, nullptr); }, {}};
  }
  std::vector<Statistics<T>> saved(static_cast<std::size_t>(p.n * p.s));
  if (pass == Pass::train) {
    if (p.s == 1) return {[p, o, saved]() mutable { train_rows<centred>(p, o, saved.data()); }, {}};
    return {[p, o, saved]() mutable { forward_channels<centred>(p, o, saved.data()); }, {}};
  }
  if (p.s == 1) {
    train_rows<centred>(p, o, saved.data());
    return {[p, o, saved] { backward_rows<centred>(p, o, saved.data()); }, {}};
  }
  forward_channels<centred>(p, o, saved.data());
  return {[p, o, saved] { backward_channels<centred>(p, o, saved.data()); }, {}};
}

/// f(first element, number, which) of every head of the queries (which = 0), then of the keys (1), numbered from 0.
template <class F>
void each_head(const HeadProblem& h, F f) {
  const index_t steps = h.batch * h.length, row = h.heads * h.head_dim;
  index_t head = 0;
  for (index_t which = 0; which < 2; ++which)
    for (index_t t = 0; t < steps; ++t) {
      const index_t first = h.packed ? (3 * t + which) * row : (which * steps + t) * row;
      for (index_t i = first; i < first + row; i += h.head_dim) f(i, head++, which);
    }
}

}  // namespace

template <class T>
Work layer_norm(Pass pass, const Problem& p, const Operands<T>& o) {
  return row_norm<true>(pass, p, o);
}
template <class T>
Work rms_norm(Pass pass, const Problem& p, const Operands<T>& o) {
  return row_norm<false>(pass, p, o);
}

template Work layer_norm(Pass, const Problem&, const Operands<float>&);
template Work layer_norm(Pass, const Problem&, const Operands<double>&);
template Work rms_norm(Pass, const Problem&, const Operands<float>&);
template Work rms_norm(Pass, const Problem&, const Operands<double>&);

Work qk_norm(Pass pass, const HeadProblem& h, const Problem& p, const Operands<float>& o) {
  if (pass == Pass::forward)
    return {[=] {
              each_head(h, [&](index_t i, index_t, index_t) {
                normalize_row<true>(o.x + i, o.y + i, o.weight, o.bias, p.c, row_statistics<true>(o.x + i, p.c));
              });
            },
            {}};
  std::vector<Statistics<float>> saved;
  each_head(h, [&](index_t i, index_t, index_t) { saved.push_back(row_statistics<true>(o.x + i, p.c)); });
  // Queries and keys have gradients of their own, the keys' behind the queries'; the case asks for their sum.
  const auto gradients = std::make_shared<std::vector<float>>(static_cast<std::size_t>(4 * p.c));
  return {[=] {
            std::fill(gradients->begin(), gradients->end(), 0.0F);
            float* const weight_grad = gradients->data();
            each_head(h, [&](index_t i, index_t head, index_t which) {
              backward_row<true>(o.dy + i, o.x + i, o.dx + i, o.weight, weight_grad + which * p.c, weight_grad + (2 + which) * p.c, p.c,
                                 saved[static_cast<std::size_t>(head)]);
            });
          },
          [=] {
            for (index_t c = 0; c < p.c; ++c) {
              o.weight_grad[c] = gradients->data()[c] + gradients->data()[p.c + c];
              o.bias_grad[c] = gradients->data()[2 * p.c + c] + gradients->data()[3 * p.c + c];
            }
          }};
}

}  // namespace bench::loop
