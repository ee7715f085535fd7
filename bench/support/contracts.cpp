// What 16-bit and 8-bit results are promised to be, read in long double and rounded by integers, against what norma gives, element by
// element.
#include "contracts.hpp"

#include "../peers/peers.hpp"

#include <norma/norma.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {
namespace {

using Real = long double;

enum class Norm { layer, rms, group, instance, batch };
enum class Bytes { none, scale, row_scales };

struct Contract {
  std::string name;
  norma::Rounding rounding = norma::Rounding::once;
  bool residual = false;
  norma::ResidualRounding residual_rounding = norma::ResidualRounding::rounded;
  Bytes bytes = Bytes::none;
};

/// The units of an element type: a fraction of so many bits, and the exponent of the least normal number.
struct Format {
  int fraction, least_exponent;
  Real unit(Real v) const {
    const int exponent = v == 0 ? least_exponent : std::max(std::ilogb(v), least_exponent);
    return std::ldexp(Real(1), exponent - fraction);
  }
};
template <class H>
constexpr Format format = std::is_same_v<H, norma::float16> ? Format{10, -14} : Format{7, -126};

/// The nearest whole number, of two the even one.
Real nearest_integer(Real v) {
  const Real below = std::floor(v), rest = v - below;
  const bool up = rest > Real(0.5) || (rest == Real(0.5) && static_cast<std::int64_t>(below) % 2 != 0);
  return up ? below + 1 : below;
}
Real nearest(Format f, Real v) { return nearest_integer(v / f.unit(v)) * f.unit(v); }

constexpr index_t rows_of_data = 2560, row_length = 4096;  // 1.05e7 elements
constexpr index_t samples = 20, channels = 512, plane = 32 * 32, groups = 32;
constexpr index_t elements = rows_of_data * row_length;
static_assert(elements == samples * channels * plane);
constexpr double scale = 0.03;
constexpr std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

constexpr bool of_rows(Norm n) { return n == Norm::layer || n == Norm::rms; }
constexpr index_t parameter_of(Norm n, index_t i) { return of_rows(n) ? i % row_length : i / plane % channels; }
constexpr index_t set_of(Norm n, index_t i) {
  if (of_rows(n)) return i / row_length;
  if (n == Norm::batch) return parameter_of(n, i);
  return n == Norm::group ? i / (plane * (channels / groups)) : i / plane;
}

/// The tensors of a call; parameters are numbers of bfloat16, so that libraries whose parameters have 16 bits can be asked for the same.
template <class H>
struct Tensors {
  std::vector<H> x, residual, y;
  std::vector<std::int8_t> bytes;
  std::vector<float> weight, bias, scales;

  Tensors() : x(at(elements)), residual(x.size()), y(x.size()), bytes(x.size()), weight(at(row_length)), bias(at(row_length)) {
    std::mt19937 bits(11);
    std::normal_distribution<float> normal;
    std::vector<float> drawn(200'003);
    for (float& v : drawn) v = normal(bits);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<H>(0.3F + 1.2F * drawn[i % drawn.size()]);
      residual[i] = static_cast<H>(drawn[i * 7 % drawn.size()]);
    }
    for (std::size_t c = 0; c < weight.size(); ++c) {
      weight[c] = static_cast<norma::bfloat16>(1 + 0.25F * drawn[c]);
      bias[c] = static_cast<norma::bfloat16>(0.25F * drawn[c + weight.size()]);
    }
    scales.resize(at(rows_of_data));
  }
  template <class E>
  norma::TensorView<E> view(Norm n, std::vector<E>& of) {
    if (of_rows(n)) return {of.data(), {rows_of_data, row_length}};
    return {of.data(), {samples, channels, plane}};
  }
};

template <class H, class Layer>
void call(Norm norm, const Contract& contract, Layer layer, Tensors<H>& t) {
  std::copy_n(t.weight.begin(), layer.weight().size(), layer.weight().begin());
  std::copy_n(t.bias.begin(), layer.bias().size(), layer.bias().begin());
  norma::Saved<float> saved;
  norma::Fused fused{.residual_rounding = contract.residual_rounding};
  if (contract.residual) fused.residual = t.view(norm, t.residual);
  if (contract.bytes == Bytes::scale) fused.scale = scale;
  if (contract.bytes == Bytes::row_scales) fused.row_scales = t.scales;
  const auto x = t.view(norm, t.x);
  if (contract.bytes != Bytes::none) return layer.forward(x, t.view(norm, t.bytes), saved, fused);
  if (contract.residual) return layer.forward(x, t.view(norm, t.y), saved, fused);
  layer.forward(x, t.view(norm, t.y), saved);
}
template <class H>
void call(Norm norm, const Contract& c, Tensors<H>& t) {
  if (norm == Norm::layer) return call(norm, c, norma::LayerNorm<float>({row_length}, {.eps = eps, .rounding = c.rounding}), t);
  if (norm == Norm::rms) return call(norm, c, norma::RMSNorm<float>({row_length}, {.eps = eps, .rounding = c.rounding}), t);
  if (norm == Norm::group) return call(norm, c, norma::GroupNorm<float>(groups, channels, {.eps = eps, .rounding = c.rounding}), t);
  if (norm == Norm::instance)
    return call(norm, c, norma::InstanceNorm<float>(channels, {.eps = eps, .affine = true, .rounding = c.rounding}), t);
  call(norm, c, norma::BatchNorm<float>(channels, {.eps = eps}), t);
}

struct Score {
  index_t equal = 0;
  double worst = 0;  ///< beyond what is allowed before the rounding, in units of the last place of the exact reading

  void add(Real actual, Real expected, Real unit, Real allowed) {
    if (actual == expected) ++equal;
    const double error = static_cast<double>((std::abs(actual - expected) - allowed) / unit);
    worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
  }
};

/// f(element, v, allowed): v is the exact normalized number, weighted and with the bias where it is rounded once, else x_hat; `allowed` is
/// the bound of y's error in float.
template <class H, class F>
void each_exact(Norm norm, const Contract& contract, const Tensors<H>& t, F&& f) {
  const Format of_x = format<H>;
  const auto sum = [&](index_t i, bool rounds) {
    const Real x = static_cast<float>(t.x[at(i)]);
    if (!contract.residual) return x;
    const Real both = x + Real(static_cast<float>(t.residual[at(i)]));
    return rounds ? nearest(of_x, both) : both;
  };
  const bool rounds_statistics = contract.residual_rounding == norma::ResidualRounding::rounded;
  const bool rounds = contract.residual_rounding != norma::ResidualRounding::exact;
  const std::size_t sets = at(set_of(norm, elements - 1)) + 1;
  const Real size = static_cast<Real>(elements) / static_cast<Real>(sets);
  std::vector<Real> mean(sets, 0), variance(sets, 0);
  if (norm != Norm::rms)
    for (index_t i = 0; i < elements; ++i) mean[at(set_of(norm, i))] += sum(i, rounds_statistics) / size;
  for (index_t i = 0; i < elements; ++i) {
    const Real d = sum(i, rounds_statistics) - mean[at(set_of(norm, i))];
    variance[at(set_of(norm, i))] += d * d / size;
  }
  for (Real& v : variance) v = 1 / std::sqrt(v + Real(eps));
  for (index_t i = 0; i < elements; ++i) {
    const std::size_t set = at(set_of(norm, i)), p = at(parameter_of(norm, i));
    const Real x_hat = (sum(i, rounds) - mean[set]) * variance[set];
    const bool once = contract.rounding == norma::Rounding::once;
    const Real weight = t.weight[p], bias = norm == Norm::rms ? Real(0) : Real(t.bias[p]), unit = std::numeric_limits<float>::epsilon();
    const Real kappa = std::sqrt(1 + mean[set] * mean[set] * variance[set] * variance[set]);
    const Real allowed = 4 * unit * (std::abs(x_hat * weight) + std::abs(bias)) + 2 * unit * kappa * std::abs(weight);
    f(i, once ? x_hat * weight + bias : x_hat, allowed);
  }
}

template <class H>
Score score(Norm norm, const Contract& contract, const Tensors<H>& t) {
  const Format f = format<H>;
  Score result;
  if (contract.bytes == Bytes::none) {
    each_exact(norm, contract, t, [&](index_t i, Real v, Real allowed) {
      if (contract.rounding == norma::Rounding::normalized_first) {  // each rounding may go the other way
        const std::size_t p = at(parameter_of(norm, i));
        const Real x_hat = nearest(f, v), product = nearest(f, x_hat * Real(t.weight[p]));
        allowed += f.unit(x_hat) * std::abs(Real(t.weight[p])) + f.unit(product);
        v = norm == Norm::rms ? product : product + Real(t.bias[p]);
      }
      const Real expected = nearest(f, v);
      result.add(static_cast<float>(t.y[at(i)]), expected, f.unit(expected), allowed);
    });
    return result;
  }
  std::vector<Real> scales(at(rows_of_data), Real(scale)), largest(at(rows_of_data), 0);
  if (contract.bytes == Bytes::row_scales) {
    each_exact(norm, contract, t,
               [&](index_t i, Real v, Real) { largest[at(i / row_length)] = std::max(largest[at(i / row_length)], std::abs(v)); });
    for (std::size_t r = 0; r < scales.size(); ++r) scales[r] = static_cast<float>(largest[r] / 127);
  }
  each_exact(norm, contract, t, [&](index_t i, Real v, Real allowed) {
    const Real of_row = scales[at(i / row_length)];
    result.add(t.bytes[at(i)], std::clamp(nearest_integer(v / of_row), Real(-127), Real(127)), 1, allowed / of_row);
  });
  return result;
}

void print(const std::string& contract, const char* norm, const char* type, const Score& s) {
  std::printf("%-40s %-13s %-5s %9.4f %% %8.2f\n", contract.c_str(), norm, type,
              100 * static_cast<double>(s.equal) / static_cast<double>(elements), s.worst);
  std::fflush(stdout);
}

template <class H>
void print_all(const char* type) {
  Tensors<H> t;
  constexpr auto first = norma::Rounding::normalized_first;
  constexpr auto exact = norma::ResidualRounding::exact, statistics = norma::ResidualRounding::statistics_exact;
  const std::vector<Contract> contracts = {{"rounded once"},
                                           {"normalized first", first},
                                           {"x + residual, rounded", {}, true},
                                           {"x + residual, exact", {}, true, exact},
                                           {"x + residual, statistics exact", {}, true, statistics},
                                           {"8 bits, one scale", {}, false, {}, Bytes::scale},
                                           {"8 bits, a scale for each row", {}, false, {}, Bytes::row_scales}};
  const std::vector<std::pair<Norm, const char*>> norms = {{Norm::layer, "LayerNorm"},
                                                           {Norm::rms, "RMSNorm"},
                                                           {Norm::group, "GroupNorm"},
                                                           {Norm::instance, "InstanceNorm"},
                                                           {Norm::batch, "BatchNorm"}};
  for (const Contract& c : contracts) {
    for (const auto& [norm, name] : norms) {
      const bool has_it = of_rows(norm) || (c.bytes == Bytes::none && (norm != Norm::batch || c.rounding != first));
      if (!has_it) continue;
      call(norm, c, t);
      print(c.name, name, type, score(norm, c, t));
    }
  }
  if constexpr (has_torch && std::is_same_v<H, norma::bfloat16>) {
    const auto narrowed = [](const std::vector<float>& v) { return std::vector<H>(v.begin(), v.end()); };
    const std::vector<H> weight = narrowed(t.weight), bias = narrowed(t.bias);
    libtorch::layer_norm_bf16(rows_of_data, row_length, t.x.data(), weight.data(), bias.data(), t.y.data());
    print("libtorch", "LayerNorm", type, score(Norm::layer, contracts[0], t));
  }
}

}  // namespace

void print_contracts() {
  std::printf("\nResults of 16 and 8 bits: of %.3g elements those equal to the exact ones, rounded as promised;\n",
              static_cast<double>(elements));
  std::printf("worst error beyond the bound that float has before the rounding, in units of the last place\n");
  print_all<norma::bfloat16>("bf16");
  print_all<norma::float16>("f16");
}

}  // namespace bench
