// Fused calls: norma's own against the norm and a loop behind (or before) it, "norma_separate", and against plain loops for both. A case
// takes the buffers that its pass leaves free for the tensors beside x and y.
#include "../peers/peers.hpp"
#include "../support/operands.hpp"
#include "../support/registry.hpp"
#include "channel_norm_reference.hpp"
#include "channel_step.hpp"
#include "row_norm_reference.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

namespace bench { namespace {

/// The tensors of a case, of elements H.
template <class H>
struct Tensors {
  norma::TensorView<H> x, y, dy, dx;
  Tensors(const Problem& p, const Operands<H>& o)
      : x(channel_tensor(p, o.x)), y(channel_tensor(p, o.y)), dy(channel_tensor(p, o.dy)), dx(channel_tensor(p, o.dx)) {}
};

/// 8-bit results, and what they are in float.
struct Quantized {
  std::vector<signed char> q;
  std::vector<float> scales;

  explicit Quantized(const Problem& p) : q(static_cast<std::size_t>(p.size())), scales(static_cast<std::size_t>(p.n)) {}
  void collect(const Problem& p, float* y) const {
    for (index_t i = 0; i < p.size(); ++i)
      y[i] = static_cast<float>(q[static_cast<std::size_t>(i)]) * scales[static_cast<std::size_t>(i / p.c)];
  }
};

template <class Layer>
Layer layer_of(const Problem& p) {
  if constexpr (std::is_same_v<Layer, norma::GroupNorm<float>>) {
    return Layer(p.groups, p.c);
  } else if constexpr (std::is_same_v<Layer, norma::BatchNorm<float>>) {
    return Layer(p.c);
  } else {
    return Layer({p.c}, {.eps = eps});
  }
}

/// What is fused. Each has: the call of a layer on tensors, and loops before and behind a norm that does not know of it.
struct Residual {
  static constexpr const char* name = "+residual";
  static void call(auto& s, const auto& t) { s.layer(t.x, t.y, {.residual = t.dy, .sum = t.dx}); }
  static Operands<float> before(const Problem& p, Operands<float> o) {
    loop::add(o.x, o.dy, o.dx, p.size());
    o.x = o.dx;
    return o;
  }
  static void behind(const Problem&, const Operands<float>&) {}
};
struct Behind {
  static Operands<float> before(const Problem&, Operands<float> o) { return o; }
};
struct AddRelu : Behind {
  static constexpr const char* name = "+add+relu";
  static void call(auto& s, const auto& t) { s.layer(t.x, t.y, {.add = t.dy}, norma::relu); }
  static void behind(const Problem& p, const Operands<float>& o) { loop::add_relu(o.dy, o.y, p.size()); }
};
struct Silu : Behind {
  static constexpr const char* name = "+silu";
  static void call(auto& s, const auto& t) { s.layer(t.x, t.y, norma::silu); }
  static void behind(const Problem& p, const Operands<float>& o) { loop::silu(o.y, p.size()); }
};
struct Gate : Behind {
  static constexpr const char* name = "+gate";
  static void call(auto& s, const auto& t) { s.layer(t.x, t.y, {.gate = t.dy}, norma::silu); }
  static void behind(const Problem& p, const Operands<float>& o) { loop::times_silu(o.dy, o.y, p.size()); }
};
struct SumGrad : Behind {
  static constexpr const char* name = "+sum_grad";
  static void call(auto& s, const auto& t) { s.layer.backward(t.dy, t.x, s.saved, t.dx, {.sum_grad = t.y}); }
  static void behind(const Problem& p, const Operands<float>& o) { loop::add(o.dx, o.y, o.dx, p.size()); }
};
/// The norm that does not know of it writes to y, which is added.
struct Accumulate {
  static constexpr const char* name = "+accumulate";
  static void call(auto& s, const auto& t) { s.layer.backward(t.dy, t.x, s.saved, t.dx, {.accumulate = true}); }
  static Operands<float> before(const Problem&, Operands<float> o) {
    std::swap(o.dx, o.y);
    return o;
  }
  static void behind(const Problem& p, const Operands<float>& o) { loop::add(o.dx, o.y, o.dx, p.size()); }
};

/// `norm`, made for the operands it sees, with the loops.
template <class Fusion>
Maker<float> with_loops(Maker<float> norm) {
  return [norm](const Problem& p, const Operands<float>& o) {
    const Work inner = norm(p, Fusion::before(p, o));
    return Work{[=] {
                  Fusion::before(p, o);
                  inner.run();
                  Fusion::behind(p, o);
                },
                inner.collect};
  };
}

/// norma on elements H: the norm alone, or with a Fusion.
template <class Layer, class Fusion, class H>
Maker<float> norma_fused(Pass pass) {
  return [pass](const Problem& p, const Operands<float>& o) {
    const auto step = std::make_shared<ChannelStep<Layer>>(layer_of<Layer>(p), p, o);
    Operands<H> h;
    if constexpr (std::is_same_v<H, float>) {
      h = o;
    } else {
      h = operands<H>(p);
    }
    const Tensors<H> t(p, h);
    if (pass == Pass::backward) {  // y, and dx where it is added to, are inputs
      std::vector<H> elsewhere(static_cast<std::size_t>(p.size()));
      step->layer.forward(t.x, channel_tensor(p, elsewhere.data()), step->saved);
      if constexpr (!std::is_same_v<H, float>) {
        const auto narrow = [](float v) { return static_cast<H>(v); };
        std::transform(o.y, o.y + p.size(), h.y, narrow);
        std::transform(o.dx, o.dx + p.size(), h.dx, narrow);
      }
    }
    const auto run = [=] { Fusion::call(*step, t); };
    return Work{run, [=] {
                  if constexpr (!std::is_same_v<H, float>)
                    std::copy_n(pass == Pass::backward ? h.dx : h.y, p.size(), pass == Pass::backward ? o.dx : o.y);
                  if (pass == Pass::backward) step->collect(o);
                }};
  };
}
struct Nothing {
  static void call(auto& s, const auto& t) { std::as_const(s.layer)(t.x, t.y); }
};
struct NothingBackward {
  static void call(auto& s, const auto& t) { s.layer.backward(t.dy, t.x, s.saved, t.dx); }
};

template <class Layer, class Fusion, class H>
void add_half(Case<float>& c, const char* name) {
  reserve_operands<H>(c.problem);
  Impl<float> impl{name, norma_fused<Layer, Fusion, H>(c.pass)};
  impl.element_bytes = sizeof(H);
  impl.agreement = 6 * static_cast<double>(static_cast<float>(std::numeric_limits<H>::epsilon()));  // of two operands, and the result
  c.impls.push_back(std::move(impl));
}

template <class Layer, class Fusion>
void add_case(const char* norm, Pass pass, const Problem& p, const Maker<float>& reference, const Maker<float>& loop) {
  using Norm = std::conditional_t<std::is_same_v<Fusion, SumGrad> || std::is_same_v<Fusion, Accumulate>, NothingBackward, Nothing>;
  Case<float> c{
      norm + std::string(Fusion::name), pass, p, {{"norma", norma_fused<Layer, Fusion, float>(pass)}}, with_loops<Fusion>(reference)};
  c.impls.push_back({"norma_separate", with_loops<Fusion>(norma_fused<Layer, Norm, float>(pass))});
  add_half<Layer, Fusion, norma::bfloat16>(c, "norma_bf16");
  c.impls.push_back({"loop", with_loops<Fusion>(loop)});
  add(std::move(c));
}

/// To 8 bits with a scale for each row.
Work quantized(bool fused, const Maker<float>& norm, const Problem& p, const Operands<float>& o) {
  const auto result = std::make_shared<Quantized>(p);
  const auto collect = [=] { result->collect(p, o.y); };
  if (fused) {
    const auto step = std::make_shared<ChannelStep<norma::RMSNorm<float>>>(layer_of<norma::RMSNorm<float>>(p), p, o);
    const auto x = channel_tensor(p, o.x);
    const norma::TensorView<std::int8_t> q(result->q.data(), {p.n, p.c});
    return {[=] { step->layer(x, q, {.row_scales = result->scales}); }, collect};
  }
  const Work inner = norm(p, o);
  return {[=] {
            inner.run();
            loop::quantize_rows(o.y, result->q.data(), result->scales.data(), p.n, p.c);
          },
          collect};
}

void add_quantized(const Problem& p) {
  Case<float> c{"RMSNorm+int8", Pass::forward, p, {}, row_norm_reference<float>(Pass::forward, false)};
  const auto on = [](bool fused, const Maker<float>& norm) {
    return [=](const Problem& q, const Operands<float>& o) { return quantized(fused, norm, q, o); };
  };
  c.impls.push_back({"norma", on(true, {})});
  c.impls.push_back({"norma_separate", on(false, norma_fused<norma::RMSNorm<float>, Nothing, float>(Pass::forward))});
  c.impls.push_back({"loop", on(false, [](const Problem& q, const Operands<float>& o) { return loop::rms_norm(Pass::forward, q, o); })});
  for (Impl<float>& impl : c.impls) impl.agreement = 0.005;  // half a step of 1 / 127
  add(std::move(c));
}

template <class Fusion>
void add_rms(Pass pass, const Problem& p) {
  const auto loop = [pass](const Problem& q, Operands<float> o) {
    const auto elsewhere = std::make_shared<std::vector<float>>(static_cast<std::size_t>(pass == Pass::backward ? q.size() : 0));
    if (pass == Pass::backward) o.y = elsewhere->data();  // where the forward before it writes
    const Work work = loop::rms_norm(pass, q, o);
    return Work{[work, elsewhere] { work.run(); }, work.collect};
  };
  add_case<norma::RMSNorm<float>, Fusion>("RMSNorm", pass, p, row_norm_reference<float>(pass, false), loop);
}
template <class Layer, class Fusion>
void add_channels(const char* name, ChannelNorm norm, const Problem& p) {
  add_case<Layer, Fusion>(name, Pass::forward, p, channel_norm_reference(norm, Pass::forward),
                          [norm](const Problem& q, const Operands<float>& o) { return loop::channel_norm(norm, Pass::forward, q, o); });
}

void enrol() {
  for (const Problem& p : {rows(128, 768), rows(512, 1024), rows(4096, 4096)}) {
    add_rms<Residual>(Pass::forward, p);
    add_rms<Gate>(Pass::forward, p);
    add_quantized(p);
    add_rms<SumGrad>(Pass::backward, p);
    add_rms<Accumulate>(Pass::backward, p);
  }
  for (const char* layout : {"nchw", "nhwc"}) {
    for (Problem p : {nchw(1, 64, 32, 32), nchw(32, 256, 14, 14), nchw(32, 64, 112, 112)}) {
      p.layout = layout;
      add_channels<norma::BatchNorm<float>, AddRelu>("BatchNorm", ChannelNorm::batch, p);
    }
    for (Problem p : {nchw(1, 128, 32, 32), nchw(2, 320, 64, 64)}) {
      p.layout = layout;
      add_channels<norma::GroupNorm<float>, Silu>("GroupNorm", ChannelNorm::group, p);
    }
  }
}

const Registration registration(enrol);

}  // namespace
}  // namespace bench
