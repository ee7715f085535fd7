// The formulas of the norms: plain loops over row-major arrays that read like the papers. Shares nothing with the library.
#include "support/reference.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace norma_test::reference {
/// Population moments of a set. A mean may be found from any value near the set's: what that may cost is README's kappa term.
static void fold(const Problem& p, Moments& m) {
  if (m.set.empty()) return;
  real squares = 0;
  for (const std::size_t i : m.set) squares += p.x[i] * p.x[i];
  m.mean = mean_of(m.set, [&](std::size_t i) { return Tracked(p.x[i]); });
  m.mean.error = std::max(m.mean.error, 2 * std::sqrt(squares / static_cast<real>(m.set.size())));
  m.variance = mean_of(m.set, [&](std::size_t i) {
    const Tracked deviation = p.x[i] - m.mean;
    return deviation * deviation;
  });
}
/// Its adjoint: d mean / dx = 1 / m, d variance / dx = 2 (x - mean) / m.
static void fold_backward(const Problem& p, const Moments& m, Answer& a) {
  const real n = static_cast<real>(m.set.size());
  const Tracked by_mean = m.dmean / n, by_variance = m.dvariance * Tracked(2) / n;
  for (const std::size_t i : m.set) a.dx[i] += by_mean + by_variance * (p.x[i] - m.mean);
}

/// An answer whose sets are numbered by set_of(part), where a part is this many elements that follow each other.
template <class F>
static Answer answer_over(const Problem& p, std::size_t count_of_sets, std::size_t part, F set_of) {
  Answer a;
  a.sets.resize(count_of_sets);
  for (std::size_t first = 0; first < p.x.size(); first += part) {
    Set& set = a.sets[set_of(first / part)].set;
    for (std::size_t i = first; i < first + part; ++i) set.push_back(i);
  }
  a.rstd.resize(count_of_sets);
  a.x_hat.resize(p.x.size());
  a.y = a.dx = a.x_hat;
  return a;
}
static Answer answer_over_axes(const Problem& p) {
  const std::vector<bool> is_averaged = averaged(p.extents, p.axes);
  Extents kept = p.extents;
  for (std::size_t axis = 0; axis < kept.size(); ++axis) {
    if (is_averaged[axis]) kept[axis] = 1;
  }
  const std::vector<std::size_t> set = positions(p.extents, kept);
  return answer_over(p, count(kept), 1, [&](std::size_t i) { return set[i]; });
}
static Answer answer_over_channels(const Problem& p) {
  return answer_over(p, p.channels(), p.plane(), [&](std::size_t plane) { return plane % p.channels(); });
}
static Answer answer_over_planes(const Problem& p) {
  return answer_over(p, p.batch() * p.channels(), p.plane(), [](std::size_t plane) { return plane; });
}
static std::vector<Moments> planes_of(const Problem& p) {
  std::vector<Moments> planes = answer_over_planes(p).sets;
  for (Moments& m : planes) fold(p, m);
  return planes;
}

/// y = x_hat * weight + bias, and the parameters' gradients.
static void apply_parameters(const Problem& p, Answer& a) {
  for (std::size_t i = 0; i < p.x.size(); ++i) a.y[i] = a.x_hat[i] * p.scale(i) + p.bias.at(i, 0);
  const auto gradient = [&](const Parameter& of, auto term) {
    std::vector<Sum> sums(of.numbers.size());
    for (std::size_t i = 0; i < p.x.size() && !sums.empty(); ++i) sums[of.cell[i]].add(term(i));
    Numbers totals;
    for (const Sum& sum : sums) totals.push_back(sum.total());
    return totals;
  };
  a.dweight = gradient(p.weight, [&](std::size_t i) { return p.dy[i] * a.x_hat[i]; });
  a.dbias = gradient(p.bias, [&](std::size_t i) { return Tracked(p.dy[i]); });
}

/// Ioffe, Szegedy 2015; Ba, Kiros, Hinton 2016: x_hat += share * (x - mean) / sqrt(variance + eps) for these elements, and the gradients
/// of that: dx += g * share * rstd, those of mean and variance in s.
static Tracked normalize(const Problem& p, const Set& elements, Statistic& s, Answer& a, Tracked share = Tracked(1)) {
  if (elements.empty()) return {};
  const Tracked rstd = inverse_root(s.variance + p.eps);
  Sum of_gradient, of_projection;
  for (const std::size_t i : elements) {
    const Tracked deviation = p.x[i] - s.mean, g = p.g(i) * share, dx = g * rstd;
    a.x_hat[i] += share * (deviation * rstd);
    a.dx[i] += dx;
    of_gradient.add(dx);
    of_projection.add(g * deviation);
  }
  s.dmean += -of_gradient.total();
  s.dvariance += of_projection.total() * rstd * rstd * rstd * Tracked(-0.5L);
  return rstd;
}

/// Every set with its own statistics.
static Answer centred_norm(const Problem& p, Answer a) {
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    fold(p, a.sets[s]);
    a.rstd[s] = normalize(p, a.sets[s].set, a.sets[s], a);
    fold_backward(p, a.sets[s], a);
  }
  apply_parameters(p, a);
  return a;
}

Answer layer_norm(const Problem& p) { return centred_norm(p, answer_over_axes(p)); }

/// Wu, He 2018: a set is channels c with equal floor(c / (C / G)) of one sample.
Answer group_norm(const Problem& p) {
  const auto groups = static_cast<std::size_t>(p.groups);
  return centred_norm(p, answer_over(p, p.batch() * groups, p.plane(), [&](std::size_t plane) {
                        return plane / p.channels() * groups + plane % p.channels() * groups / p.channels();
                      }));
}

/// (x - mean) / sqrt(variance + eps) with given statistics of each channel, which are constants: dx = dy * weight * rstd.
Answer given_norm(const Problem& p) {
  Answer a = answer_over_channels(p);
  for (std::size_t c = 0; c < a.sets.size(); ++c) {
    Statistic s{p.mean[c], p.variance.empty() ? Tracked(1) - p.eps : p.variance[c], {}, {}};
    a.rstd[c] = normalize(p, a.sets[c].set, s, a);
  }
  apply_parameters(p, a);
  return a;
}

/// Mean and variance of each channel, as the batch has them.
static void learn_batch(Answer& a, const std::vector<Moments>& channels) {
  for (const Moments& c : channels) {
    a.learned_mean.push_back(c.mean);
    a.learned_variance.push_back(c.variance);
  }
}

/// Ioffe, Szegedy 2015: a set is a channel, over batch and positions.
Answer batch_norm(const Problem& p) {
  if (p.running) return given_norm(p);
  Answer a = centred_norm(p, answer_over_channels(p));
  learn_batch(a, a.sets);
  return a;
}

/// Ulyanov, Vedaldi, Lempitsky 2016: a set is one channel of one sample. Running statistics learn the mean over the samples.
Answer instance_norm(const Problem& p) {
  if (p.running) return given_norm(p);
  Answer a = centred_norm(p, answer_over_planes(p));
  for (std::size_t c = 0; c < p.channels() && !p.x.empty(); ++c) {
    Set of_channel;
    for (std::size_t n = 0; n < p.batch(); ++n) of_channel.push_back(n * p.channels() + c);
    a.learned_mean.push_back(mean_of(of_channel, [&](std::size_t s) { return a.sets[s].mean; }));
    a.learned_variance.push_back(mean_of(of_channel, [&](std::size_t s) { return a.sets[s].variance; }));
  }
  return a;
}

/// x_hat = x / divisor, dx = (g - x_hat * ratio * `of` (g x_hat)) / divisor, where `of` is a mean or a sum over the set and
/// divisor^2 = `of` (x^2) + eps; with eps_outside_sqrt divisor = sqrt(`of` (x^2)) + eps and ratio = divisor / (divisor - eps).
template <class Of>
static Answer uncentred_norm(const Problem& p, Of of) {
  Answer a = answer_over_axes(p);
  for (std::size_t s = 0; s < a.sets.size(); ++s) {
    const Set& set = a.sets[s].set;
    if (set.empty()) continue;
    const Tracked second = of(set, [&](std::size_t i) { return Tracked(p.x[i]) * p.x[i]; });
    const Tracked root = square_root(second), outside = root + p.eps;
    const Tracked rstd = p.eps_outside_sqrt ? (outside.value == 0 ? Tracked() : Tracked(1) / outside) : inverse_root(second + p.eps);
    const Tracked ratio = !p.eps_outside_sqrt ? Tracked(1) : root.value == 0 ? Tracked() : outside / root;
    for (const std::size_t i : set) a.x_hat[i] = p.x[i] * rstd;
    const Tracked slope = ratio * of(set, [&](std::size_t i) { return p.g(i) * a.x_hat[i]; });
    for (const std::size_t i : set) a.dx[i] = rstd * (p.g(i) - a.x_hat[i] * slope);
    a.sets[s].variance = second;
    a.rstd[s] = rstd;
  }
  apply_parameters(p, a);
  return a;
}

/// Zhang, Sennrich 2019.
Answer rms_norm(const Problem& p) {
  return uncentred_norm(p, [](const Set& set, auto term) { return mean_of(set, term); });
}
/// To length 1: Salimans, Kingma 2016 with eps = 0, Henry et al. 2020.
Answer unit_norm(const Problem& p) {
  return uncentred_norm(p, [](const Set& set, auto term) { return sum_of(set, term); });
}

/// Ioffe 2017: x_hat = (x - mean) / sigma * r + d; r and d are constants.
Answer batch_renorm(const Problem& p) {
  if (p.running) return given_norm(p);
  Answer a = answer_over_channels(p);
  for (std::size_t c = 0; c < a.sets.size(); ++c) {
    Moments& batch = a.sets[c];
    fold(p, batch);
    const Tracked before = inverse_root(p.variance[c] + p.eps), now = inverse_root(batch.variance + p.eps);
    const Tracked r = clipped(before / now, 1 / p.r_max, p.r_max);
    const Tracked d = clipped((batch.mean - p.mean[c]) * before, -p.d_max, p.d_max);
    a.rstd[c] = normalize(p, batch.set, batch, a, r);
    for (const std::size_t i : batch.set) a.x_hat[i] += d;
    fold_backward(p, batch, a);
  }
  learn_batch(a, a.sets);
  apply_parameters(p, a);
  return a;
}

/// Salimans, Kingma 2016, section 4: y = x - mean + bias, dx = dy - mean(dy).
Answer mean_only_batch_norm(const Problem& p) {
  Answer a = answer_over_channels(p);
  for (std::size_t c = 0; c < a.sets.size(); ++c) {
    Moments& batch = a.sets[c];
    fold(p, batch);
    const Tracked mean_dy = batch.set.empty() ? Tracked() : mean_of(batch.set, [&](std::size_t i) { return Tracked(p.dy[i]); });
    for (const std::size_t i : batch.set) {
      a.x_hat[i] = p.x[i] - (p.running ? p.mean[c] : batch.mean);
      a.dx[i] = p.running ? Tracked(p.dy[i]) : p.dy[i] - mean_dy;
    }
  }
  learn_batch(a, a.sets);
  apply_parameters(p, a);
  return a;
}

static Statistic merge(const std::vector<Moments>& planes, const Set& of);

/// Nam, Kim 2018: y = (gate * batch's x_hat + (1 - gate) * instance's x_hat) * weight + bias.
Answer batch_instance_norm(const Problem& p) {
  Answer a = answer_over_channels(p), batch_alone = a, instance_alone = a;
  std::vector<Moments> planes = planes_of(p);
  for (std::size_t c = 0; c < a.sets.size(); ++c) {
    Moments& batch = a.sets[c];
    fold(p, batch);
    if (p.running) continue;
    Statistic alone = batch;
    normalize(p, batch.set, batch, a, p.gate[c]);
    normalize(p, batch.set, alone, batch_alone);
    fold_backward(p, batch, a);
  }
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::size_t c = i % p.channels();
    Statistic alone = planes[i];
    normalize(p, planes[i].set, planes[i], a, Tracked(1) - p.gate[c]);
    normalize(p, planes[i].set, alone, instance_alone);
    fold_backward(p, planes[i], a);
    if (p.running) {
      // The library has one centre, the plane's; what that costs is the README bound's kappa term of both centres.
      Statistic running{p.mean[c], p.variance[c], {}, {}};
      running.mean.error += planes[i].mean.error + 2 * std::sqrt(running.mean.value * running.mean.value + running.variance.value);
      alone = running;
      normalize(p, planes[i].set, running, a, p.gate[c]);
      normalize(p, planes[i].set, alone, batch_alone);
    }
  }
  // The library merges planes, in double: in that precision a sum of as many terms.
  for (std::size_t c = 0; c < p.channels() && !p.x.empty(); ++c) {
    Set of_channel;
    for (std::size_t n = 0; n < p.batch(); ++n) of_channel.push_back(n * p.channels() + c);
    const Statistic merged = merge(planes, of_channel);
    a.learned_mean.push_back(merged.mean);
    a.learned_variance.push_back(merged.variance);
  }
  apply_parameters(p, a);
  for (std::size_t c = 0; c < p.channels(); ++c) {
    a.dgate.push_back(sum_of(a.sets[c].set, [&](std::size_t i) { return p.g(i) * (batch_alone.x_hat[i] - instance_alone.x_hat[i]); }));
  }
  return a;
}

static Numbers softmax(const Numbers& logits) {
  Tracked sum;
  Numbers result;
  for (const Tracked& l : logits) sum += exponential(l - logits[0]);
  for (const Tracked& l : logits) result.push_back(exponential(l - logits[0]) / sum);
  return result;
}

/// Moments of planes merged: mean(variance + mean^2) - mean^2 written as mean(variance + (mean - mean of all)^2).
static Statistic merge(const std::vector<Moments>& planes, const Set& of) {
  Statistic s;
  s.mean = mean_of(of, [&](std::size_t i) { return planes[i].mean; });
  s.variance = mean_of(of, [&](std::size_t i) { return planes[i].variance + (planes[i].mean - s.mean) * (planes[i].mean - s.mean); });
  return s;
}
static void merge_backward(std::vector<Moments>& planes, const Set& of, const Statistic& s) {
  const real m = static_cast<real>(of.size());
  for (const std::size_t i : of) {
    planes[i].dmean += s.dmean / m + s.dvariance * Tracked(2) * (planes[i].mean - s.mean) / m;
    planes[i].dvariance += s.dvariance / m;
  }
}

/// Luo et al. 2018, equations 3 to 6: each plane with softmax-weighed statistics of itself, its sample and its channel.
Answer switchable_norm(const Problem& p) {
  Answer a = answer_over_channels(p);
  a.dmean_logits.resize(3);
  a.dvar_logits.resize(3);
  if (p.x.empty()) {
    apply_parameters(p, a);
    return a;
  }
  std::vector<Moments> planes = planes_of(p);
  const real s = static_cast<real>(p.plane()), factor = !p.unbiased_instance ? 1 : s > 1 ? s / (s - 1) : 0;
  for (Moments& plane : planes) plane.variance = plane.variance * Tracked(factor);
  std::vector<Set> of_sample(p.batch()), of_channel(p.channels());
  for (std::size_t i = 0; i < planes.size(); ++i) {
    of_sample[i / p.channels()].push_back(i);
    of_channel[i % p.channels()].push_back(i);
  }
  std::vector<Statistic> samples, channels;
  for (const Set& of : of_sample) samples.push_back(merge(planes, of));
  for (std::size_t c = 0; c < p.channels(); ++c) {
    channels.push_back(merge(planes, of_channel[c]));
    a.learned_mean.push_back(channels[c].mean);
    a.learned_variance.push_back(channels[c].variance);
    if (p.running) channels[c] = {p.mean[c], p.variance[c], {}, {}};
  }
  const Numbers of_mean = softmax(p.mean_logits), of_variance = softmax(p.var_logits);
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const std::array<Statistic*, 3> mixed = {&planes[i], &samples[i / p.channels()], &channels[i % p.channels()]};
    Statistic mix;
    for (std::size_t k = 0; k < 3; ++k) {
      mix.mean += of_mean[k] * mixed[k]->mean;
      mix.variance += of_variance[k] * mixed[k]->variance;
    }
    normalize(p, planes[i].set, mix, a);
    for (std::size_t k = 0; k < 3; ++k) {
      mixed[k]->dmean += of_mean[k] * mix.dmean;
      mixed[k]->dvariance += of_variance[k] * mix.dvariance;
      a.dmean_logits[k] += of_mean[k] * mix.dmean * (mixed[k]->mean - mix.mean);
      a.dvar_logits[k] += of_variance[k] * mix.dvariance * (mixed[k]->variance - mix.variance);
    }
  }
  for (std::size_t n = 0; n < p.batch(); ++n) merge_backward(planes, of_sample[n], samples[n]);
  for (std::size_t c = 0; !p.running && c < p.channels(); ++c) merge_backward(planes, of_channel[c], channels[c]);
  for (Moments& plane : planes) {
    plane.dvariance = plane.dvariance * Tracked(factor);
    fold_backward(p, plane, a);
  }
  apply_parameters(p, a);
  return a;
}

/// A sum of products whose order is a matrix library's: twice the rounding of a random walk over all terms.
template <class F>
static Tracked product_of(const Set& set, F term) {
  Tracked sum = sum_of(set, term);
  for (const std::size_t i : set) sum.error += std::sqrt(static_cast<real>(set.size())) / 4 * std::abs(term(i).value);
  return sum;
}

/// Miyato et al. 2018: v = normalize(W^T u), u = normalize(W v), sigma = u^T W v, w = W / sigma; dW = (dw - <dw, w> u v^T) / sigma.
Answer spectral_norm(const Problem& p) {
  Answer a = answer_over(p, p.x.empty() ? 0 : 1, p.x.size(), [](std::size_t) { return std::size_t{0}; });
  a.u = p.u;
  a.v = p.v;
  if (p.x.empty()) return a;
  const std::size_t rows = static_cast<std::size_t>(p.extents[p.dim]), columns = p.x.size() / rows;
  std::vector<Set> row(rows), column(columns);
  std::vector<std::size_t> row_of(p.x.size()), column_of(p.x.size());
  for_each_index(p.extents, [&](const Extents& index) {
    const std::size_t i = position(index, p.extents), r = static_cast<std::size_t>(index[p.dim]);
    row_of[i] = r;
    column_of[i] = row[r].size();
    column[row[r].size()].push_back(i);
    row[r].push_back(i);
  });
  const auto unit = [](const Numbers& x) {
    Set all(x.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const Tracked inverse = inverse_root(product_of(all, [&](std::size_t i) { return x[i] * x[i]; }));
    Numbers result;
    for (const Tracked& e : x) result.push_back(e * inverse);
    return result;
  };
  const auto times = [&](const std::vector<Set>& lines, const Numbers& with, const std::vector<std::size_t>& at) {
    Numbers result;
    for (const Set& line : lines) result.push_back(product_of(line, [&](std::size_t i) { return Tracked(p.x[i]) * with[at[i]]; }));
    return result;
  };
  for (int step = 0; step < p.iterations; ++step) {
    a.v = unit(times(column, a.u, row_of));
    a.u = unit(times(row, a.v, column_of));
  }
  const Set& all = a.sets[0].set;
  const Tracked sigma = product_of(all, [&](std::size_t i) { return a.u[row_of[i]] * p.x[i] * a.v[column_of[i]]; });
  for (const std::size_t i : all) a.y[i] = a.x_hat[i] = p.x[i] / sigma;
  const Tracked slope = product_of(all, [&](std::size_t i) { return p.dy[i] * a.y[i]; });
  for (const std::size_t i : all) a.dx[i] = (p.dy[i] - slope * a.u[row_of[i]] * a.v[column_of[i]]) / sigma;
  return a;
}

}  // namespace norma_test::reference
