// The cases of LayerNorm and RMSNorm: the same shapes and passes. What differs is told by a `Norm` with name, centred, Layer<T>,
// forward_channels, train_channels, backward_channels (the free functions on channels of an image batch), plain_loop and add_peers_*.
#pragma once

#include "../peers/peers.hpp"
#include "../support/operands.hpp"
#include "../support/registry.hpp"
#include "row_norm_reference.hpp"

#include <norma/norma.hpp>
#ifdef _OPENMP
#include <norma/interop/openmp.hpp>
#endif

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

inline std::vector<Problem> row_norm_problems() {
  return {rows(1, 16),       rows(1, 64),      rows(8, 64),      rows(64, 64),     rows(1, 768),      rows(1, 4096),      rows(4, 4096),
          rows(1024, 64),    rows(1024, 128),  rows(2000, 32),   rows(3136, 96),   rows(100'000, 32), rows(16, 2048),     rows(49, 1536),
          rows(77, 768),     rows(128, 768),   rows(256, 384),   rows(1500, 512),  rows(512, 1024),   rows(4096, 1024),   rows(4096, 1023),
          rows(65536, 1024), rows(2048, 4096), rows(2048, 5120), rows(8192, 2560), rows(32, 8192),    nchw(8, 96, 56, 56)};
}

inline bool is_among(const Problem& p, std::initializer_list<const char*> shapes) {
  return std::find(shapes.begin(), shapes.end(), p.shape) != shapes.end();
}

inline bool has_two_threads(const Problem& p) { return is_among(p, {"77x768", "512x1024", "4096x1024"}); }

/// Training forward differs from inference by two short stores per row: a few shapes tell.
inline bool has_train_pass(const Problem& p) { return is_among(p, {"1024x128", "128x768", "4096x1024"}); }

/// A few shapes tell what doubles cost.
inline bool has_double(const Problem& p) { return is_among(p, {"1x768", "1024x128", "128x768", "512x1024", "4096x1024", "8x96x56x56"}); }

/// Elements of 16 bits: short, in L1 to L3, and in memory.
inline bool has_half(const Problem& p) { return is_among(p, {"1x768", "1024x128", "128x768", "512x1024", "4096x1024", "8192x2560"}); }

template <class T>
norma::TensorView<T> tensor(const Problem& p, T* data) {
  return p.s == 1 ? norma::TensorView<T>(data, {p.n, p.c}) : norma::TensorView<T>(data, {p.n, p.c, p.s});
}
template <class T>
norma::TensorView<const T> constant(const Problem& p, const T* data) {
  return tensor<const T>(p, data);
}

/// The layer object and what it saves between forward and backward, kept at one address.
template <class Norm, class T>
struct Step {
  typename Norm::template Layer<T> layer;
  norma::Saved<T> saved;

  Step(const Problem& p, const Operands<T>& o) : layer({p.c}, {.eps = eps}) {
    std::copy_n(o.weight, p.c, layer.weight().begin());
    std::copy_n(o.bias, static_cast<index_t>(layer.bias().size()), layer.bias().begin());
  }
  void collect(const Operands<T>& o) {
    std::ranges::copy(layer.weight_grad(), o.weight_grad);
    std::ranges::copy(layer.bias_grad(), o.bias_grad);
  }
};

// Rows go through the layer object, channels of an image batch through the free function, each as a user would call it.

template <class Norm, class T, class Executor>
Work norma_forward(const Executor& executor, const Problem& p, const Operands<T>& o) {
  const auto x = constant(p, o.x);
  const auto y = tensor(p, o.y);
  if (p.s != 1) return {[=] { Norm::forward_channels(executor, x, y, p, o); }, {}};
  return {[=, step = std::make_shared<Step<Norm, T>>(p, o)] { std::as_const(step->layer)(executor, x, y); }, {}};
}

template <class Norm, class T, class Executor>
Work norma_train(const Executor& executor, const Problem& p, const Operands<T>& o) {
  const auto x = constant(p, o.x);
  const auto y = tensor(p, o.y);
  return {[=, step = std::make_shared<Step<Norm, T>>(p, o)] { step->layer.forward(executor, x, y, step->saved); }, {}};
}

template <class Norm, class T, class Executor>
Work norma_backward(const Executor& executor, const Problem& p, const Operands<T>& o) {
  const auto step = std::make_shared<Step<Norm, T>>(p, o);
  const auto x = constant(p, o.x), dy = constant(p, o.dy);
  const auto y = tensor(p, o.y), dx = tensor(p, o.dx);
  if (p.s != 1) {
    Norm::train_channels(x, y, step->saved, p, o);
    return {[=] { Norm::backward_channels(executor, dy, x, step->saved, dx, p, o); }, {}};
  }
  step->layer.forward(x, y, step->saved);
  return {[=] { step->layer.backward(executor, dy, x, step->saved, dx); }, [=] { step->collect(o); }};
}

template <class Norm, class T, class Executor>
Maker<T> norma_on(const Executor& executor, Pass pass) {
  return [executor, pass](const Problem& p, const Operands<T>& o) {
    if (pass == Pass::backward) return norma_backward<Norm>(executor, p, o);
    return pass == Pass::train ? norma_train<Norm>(executor, p, o) : norma_forward<Norm>(executor, p, o);
  };
}

/// Elements of type H, parameters and statistics in float. `collect` brings the results to the operands.
template <class Norm, class H>
Work norma_half(Pass pass, const Problem& p, const Operands<float>& o) {
  const Operands<H> h = operands<H>(p);
  const auto step = std::make_shared<Step<Norm, float>>(p, o);
  const auto x = constant(p, h.x), dy = constant(p, h.dy);
  const auto y = tensor(p, h.y), dx = tensor(p, h.dx);
  if (pass == Pass::forward) {
    return {[=] { std::as_const(step->layer)(x, y); }, [=] { std::copy_n(h.y, p.size(), o.y); }};
  }
  step->layer.forward(x, y, step->saved);
  return {[=] { step->layer.backward(dy, x, step->saved, dx); },
          [=] {
            std::copy_n(h.dx, p.size(), o.dx);
            step->collect(o);
          }};
}

/// norma on elements of 16 bits, beside norma on float. x and dy are rounded to them: results agree with the reference to a few such units.
template <class Norm, class H>
void add_half(Case<float>& c, const char* name) {
  reserve_operands<H>(c.problem);
  const Pass pass = c.pass;
  Impl<float> impl{name, [pass](const Problem& p, const Operands<float>& o) { return norma_half<Norm, H>(pass, p, o); }};
  impl.element_bytes = sizeof(H);
  impl.agreement = 4 * static_cast<double>(static_cast<float>(std::numeric_limits<H>::epsilon()));
  c.impls.push_back(std::move(impl));
}

template <class Norm, class T>
void add_case(Pass pass, const Problem& p, void (*add_peers)(Case<T>&)) {
  Case<T> c{Norm::name, pass, p, {{"norma", norma_on<Norm, T>(norma::sequential, pass)}}, row_norm_reference<T>(pass, Norm::centred)};
#ifdef _OPENMP
  if (has_two_threads(p)) c.impls.push_back({"norma_2threads", norma_on<Norm, T>(norma::openmp(2), pass)});
#endif
  if constexpr (std::is_same_v<T, float>)
    if (has_half(p) && pass != Pass::train) {
      add_half<Norm, norma::bfloat16>(c, "norma_bf16");
      add_half<Norm, norma::float16>(c, "norma_f16");
    }
  add_peers(c);
  c.impls.push_back({"loop", [pass](const Problem& q, const Operands<T>& o) { return Norm::plain_loop(pass, q, o); }});
  add(std::move(c));
}

template <class Norm, class T>
void add_passes() {
  std::vector<Problem> problems = row_norm_problems();
  if constexpr (std::is_same_v<T, double>) std::erase_if(problems, [](const Problem& p) { return !has_double(p); });
  for (const Problem& p : problems) add_case<Norm, T>(Pass::forward, p, Norm::add_peers_forward);
  if constexpr (std::is_same_v<T, float>)
    for (const Problem& p : problems)
      if (has_train_pass(p)) add_case<Norm, T>(Pass::train, p, Norm::add_peers_train);
  for (const Problem& p : problems) add_case<Norm, T>(Pass::backward, p, Norm::add_peers_backward);
}

template <class Norm>
void add_row_norm() {
  add_passes<Norm, float>();
  add_passes<Norm, double>();
}

}  // namespace bench
