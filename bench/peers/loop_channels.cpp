// BatchNorm, GroupNorm and InstanceNorm as a careful programmer writes them, each layout with loops of its own: sum and sum of squares in
// one pass, in float, compiled with -Ofast (which is why no header of norma is included: it refuses that).
#include "peers.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

namespace bench::loop {
namespace {

/// Two sums over elements of one plane or column: of x and its square, or of dy and dy times x's deviation.
struct Sums {
  float first = 0, second = 0;

  void operator+=(Sums other) {
    first += other.first;
    second += other.second;
  }
};

struct Statistics {
  float mean, rstd;
};

Statistics statistics_of(Sums sums, index_t count) {
  const float mean = sums.first / static_cast<float>(count);
  const float variance = std::max(sums.second / static_cast<float>(count) - mean * mean, 0.0F);
  return {mean, 1 / std::sqrt(variance + static_cast<float>(eps))};
}

// One plane (or a whole group of planes) of NCHW: contiguous, one set of coefficients.

Sums plane_sums(const float* x, index_t length) {
  float sum = 0, squares = 0;
  for (index_t i = 0; i < length; ++i) {
    sum += x[i];
    squares += x[i] * x[i];
  }
  return {sum, squares};
}

Sums plane_gradient_sums(const float* __restrict dy, const float* __restrict x, index_t length, float mean) {
  float sum = 0, products = 0;
  for (index_t i = 0; i < length; ++i) {
    sum += dy[i];
    products += dy[i] * (x[i] - mean);
  }
  return {sum, products};
}

void plane_map(const float* __restrict x, float* __restrict y, index_t length, float scale, float shift) {
  for (index_t i = 0; i < length; ++i) y[i] = x[i] * scale + shift;
}

/// dx = upstream * dy + slope * x + offset
struct Backward {
  float upstream, slope, offset;
};

void plane_backward(const float* __restrict dy, const float* __restrict x, float* __restrict dx, index_t length, Backward b) {
  for (index_t i = 0; i < length; ++i) dx[i] = b.upstream * dy[i] + b.slope * x[i] + b.offset;
}

// Rows of channels, as they lie in channels-last: one number of each kind for every column.

void column_sums(const float* __restrict x, index_t rows, index_t columns, float* __restrict sum, float* __restrict squares) {
  std::fill_n(sum, columns, 0.0F);
  std::fill_n(squares, columns, 0.0F);
  for (index_t r = 0; r < rows; ++r, x += columns)
    for (index_t c = 0; c < columns; ++c) {
      sum[c] += x[c];
      squares[c] += x[c] * x[c];
    }
}

void column_gradient_sums(const float* __restrict dy, const float* __restrict x, index_t rows, index_t columns,
                          const float* __restrict mean, float* __restrict sum, float* __restrict products) {
  std::fill_n(sum, columns, 0.0F);
  std::fill_n(products, columns, 0.0F);
  for (index_t r = 0; r < rows; ++r, x += columns, dy += columns)
    for (index_t c = 0; c < columns; ++c) {
      sum[c] += dy[c];
      products[c] += dy[c] * (x[c] - mean[c]);
    }
}

void column_map(const float* __restrict x, float* __restrict y, index_t rows, index_t columns, const float* __restrict scale,
                const float* __restrict shift) {
  for (index_t r = 0; r < rows; ++r, x += columns, y += columns)
    for (index_t c = 0; c < columns; ++c) y[c] = x[c] * scale[c] + shift[c];
}

void column_backward(const float* __restrict dy, const float* __restrict x, float* __restrict dx, index_t rows, index_t columns,
                     const float* __restrict upstream, const float* __restrict slope, const float* __restrict offset) {
  for (index_t r = 0; r < rows; ++r, x += columns, dy += columns, dx += columns)
    for (index_t c = 0; c < columns; ++c) dx[c] = upstream[c] * dy[c] + slope[c] * x[c] + offset[c];
}

using Floats = std::vector<float>;

std::size_t number(index_t i) { return static_cast<std::size_t>(i); }

/// One norm on the operands of one problem. `groups` statistic sets a sample, or one a channel over the whole batch.
class ChannelLoops {
 public:
  ChannelLoops(ChannelNorm norm, const Problem& p, const Operands<float>& o)
      : p_(p),
        o_(o),
        groups_(norm == ChannelNorm::group ? p.groups : p.c),
        columns_(p.channels_last() || p.s == 1),
        saved_(number(norm == ChannelNorm::batch ? p.c : p.n * groups_)),
        running_mean_(number(p.c)),
        running_variance_(running_mean_),
        mean_(running_mean_),
        first_(running_mean_),
        second_(running_mean_),
        scale_(running_mean_),
        shift_(running_mean_),
        slope_(running_mean_) {
    for (index_t c = 0; c < p.c; ++c) {
      running_mean_[number(c)] = running_mean<float>(c);
      running_variance_[number(c)] = running_variance<float>(c);
    }
  }

  void infer_batch() {
    for (index_t c = 0; c < p_.c; ++c) {
      const float scale = o_.weight[c] / std::sqrt(running_variance_[number(c)] + static_cast<float>(eps));
      scale_[number(c)] = scale;
      shift_[number(c)] = o_.bias[c] - running_mean_[number(c)] * scale;
    }
    if (columns_) return column_map(o_.x, o_.y, p_.n * p_.s, p_.c, scale_.data(), shift_.data());
    for (index_t n = 0; n < p_.n; ++n)
      for (index_t c = 0; c < p_.c; ++c) plane_map(o_.x + plane(n, c), o_.y + plane(n, c), p_.s, scale_[number(c)], shift_[number(c)]);
  }

  void train_batch() {
    if (columns_) column_sums(o_.x, p_.n * p_.s, p_.c, first_.data(), second_.data());
    for (index_t c = 0; c < p_.c; ++c) {
      Sums sums;
      if (columns_)
        sums = {first_[number(c)], second_[number(c)]};
      else
        for (index_t n = 0; n < p_.n; ++n) sums += plane_sums(o_.x + plane(n, c), p_.s);
      const Statistics s = saved_[number(c)] = statistics_of(sums, p_.n * p_.s);
      update_running(c, s);
      set_scale(c, s);
      if (!columns_)
        for (index_t n = 0; n < p_.n; ++n) plane_map(o_.x + plane(n, c), o_.y + plane(n, c), p_.s, scale_[number(c)], shift_[number(c)]);
    }
    if (columns_) column_map(o_.x, o_.y, p_.n * p_.s, p_.c, scale_.data(), shift_.data());
  }

  void backward_batch() {
    const index_t count = p_.n * p_.s;
    if (columns_) {
      for (index_t c = 0; c < p_.c; ++c) mean_[number(c)] = saved_[number(c)].mean;
      column_gradient_sums(o_.dy, o_.x, count, p_.c, mean_.data(), first_.data(), second_.data());
    }
    for (index_t c = 0; c < p_.c; ++c) {
      const Statistics s = saved_[number(c)];
      Sums sums;
      if (columns_)
        sums = {first_[number(c)], second_[number(c)]};
      else
        for (index_t n = 0; n < p_.n; ++n) sums += plane_gradient_sums(o_.dy + plane(n, c), o_.x + plane(n, c), p_.s, s.mean);
      o_.weight_grad[c] = sums.second * s.rstd;
      o_.bias_grad[c] = sums.first;
      const Backward b = backward_of(s, {o_.weight[c] * sums.first, o_.weight[c] * sums.second}, count, o_.weight[c]);
      if (columns_)
        keep(c, b);
      else
        for (index_t n = 0; n < p_.n; ++n) plane_backward(o_.dy + plane(n, c), o_.x + plane(n, c), o_.dx + plane(n, c), p_.s, b);
    }
    if (columns_) column_backward(o_.dy, o_.x, o_.dx, count, p_.c, scale_.data(), slope_.data(), shift_.data());
  }

  void forward_samples() {
    const index_t channels = p_.c / groups_, count = channels * p_.s;
    for (index_t n = 0; n < p_.n; ++n) {
      if (columns_) column_sums(o_.x + plane(n, 0), p_.s, p_.c, first_.data(), second_.data());
      for (index_t g = 0; g < groups_; ++g) {
        const index_t begin = g * channels, end = begin + channels;
        Sums sums;
        if (columns_)
          for (index_t c = begin; c < end; ++c) sums += {first_[number(c)], second_[number(c)]};
        else
          sums = plane_sums(o_.x + plane(n, begin), count);
        const Statistics s = saved_[number(n * groups_ + g)] = statistics_of(sums, count);
        for (index_t c = begin; c < end; ++c) {
          set_scale(c, s);
          if (!columns_) plane_map(o_.x + plane(n, c), o_.y + plane(n, c), p_.s, scale_[number(c)], shift_[number(c)]);
        }
      }
      if (columns_) column_map(o_.x + plane(n, 0), o_.y + plane(n, 0), p_.s, p_.c, scale_.data(), shift_.data());
    }
  }

  void backward_samples() {
    const index_t channels = p_.c / groups_, count = channels * p_.s;
    std::fill_n(o_.weight_grad, p_.c, 0.0F);
    std::fill_n(o_.bias_grad, p_.c, 0.0F);
    for (index_t n = 0; n < p_.n; ++n) {
      if (columns_) {
        for (index_t c = 0; c < p_.c; ++c) mean_[number(c)] = saved_[number(n * groups_ + c / channels)].mean;
        column_gradient_sums(o_.dy + plane(n, 0), o_.x + plane(n, 0), p_.s, p_.c, mean_.data(), first_.data(), second_.data());
      }
      for (index_t g = 0; g < groups_; ++g) {
        const index_t begin = g * channels, end = begin + channels;
        const Statistics s = saved_[number(n * groups_ + g)];
        Sums weighted;
        for (index_t c = begin; c < end; ++c) {
          const Sums sums = columns_ ? Sums{first_[number(c)], second_[number(c)]}
                                     : plane_gradient_sums(o_.dy + plane(n, c), o_.x + plane(n, c), p_.s, s.mean);
          o_.weight_grad[c] += sums.second * s.rstd;
          o_.bias_grad[c] += sums.first;
          weighted += {o_.weight[c] * sums.first, o_.weight[c] * sums.second};
        }
        for (index_t c = begin; c < end; ++c) {
          const Backward b = backward_of(s, weighted, count, o_.weight[c]);
          if (columns_)
            keep(c, b);
          else
            plane_backward(o_.dy + plane(n, c), o_.x + plane(n, c), o_.dx + plane(n, c), p_.s, b);
        }
      }
      if (columns_)
        column_backward(o_.dy + plane(n, 0), o_.x + plane(n, 0), o_.dx + plane(n, 0), p_.s, p_.c, scale_.data(), slope_.data(),
                        shift_.data());
    }
  }

 private:
  /// Where a plane of NCHW begins; with c = 0 also where a sample of either layout does.
  index_t plane(index_t n, index_t c) const { return (n * p_.c + c) * p_.s; }

  void set_scale(index_t c, Statistics s) {
    scale_[number(c)] = o_.weight[c] * s.rstd;
    shift_[number(c)] = o_.bias[c] - s.mean * scale_[number(c)];
  }
  void update_running(index_t c, Statistics s) {
    const float count = static_cast<float>(p_.n * p_.s), variance = 1 / (s.rstd * s.rstd) - static_cast<float>(eps);
    running_mean_[number(c)] += 0.1F * (s.mean - running_mean_[number(c)]);
    running_variance_[number(c)] += 0.1F * (variance * count / (count - 1) - running_variance_[number(c)]);
  }
  /// dx = rstd * (g - mean(g) - x_hat * mean(g * x_hat)) with g = dy * weight, of whose set `sums` are of g and g * (x - mean).
  static Backward backward_of(Statistics s, Sums sums, index_t count, float weight) {
    const float slope = -s.rstd * s.rstd * s.rstd * sums.second / static_cast<float>(count);
    return {weight * s.rstd, slope, -s.rstd * sums.first / static_cast<float>(count) - slope * s.mean};
  }
  void keep(index_t c, Backward b) {
    scale_[number(c)] = b.upstream;
    slope_[number(c)] = b.slope;
    shift_[number(c)] = b.offset;
  }

  Problem p_;
  Operands<float> o_;
  index_t groups_;
  bool columns_;
  std::vector<Statistics> saved_;
  Floats running_mean_, running_variance_, mean_, first_, second_, scale_, shift_, slope_;
};

}  // namespace

Work channel_norm(ChannelNorm norm, Pass pass, const Problem& p, const Operands<float>& o) {
  const auto loops = std::make_shared<ChannelLoops>(norm, p, o);
  if (norm == ChannelNorm::batch) {
    if (pass == Pass::forward) return {[loops] { loops->infer_batch(); }, {}};
    if (pass == Pass::train) return {[loops] { loops->train_batch(); }, {}};
    loops->train_batch();
    return {[loops] { loops->backward_batch(); }, {}};
  }
  if (pass != Pass::backward) return {[loops] { loops->forward_samples(); }, {}};
  loops->forward_samples();
  return {[loops] { loops->backward_samples(); }, {}};
}

}  // namespace bench::loop
