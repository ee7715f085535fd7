// Benchmark cases of BatchNorm, GroupNorm and InstanceNorm, in both layouts.
#include "../peers/peers.hpp"
#include "../support/registry.hpp"
#include "channel_norm_reference.hpp"
#include "channel_step.hpp"

#ifdef _OPENMP
#include <norma/interop/openmp.hpp>
#endif

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace bench { namespace {

template <class Layer, class Executor>
Work work(const Executor& executor, Pass pass, Layer layer, const Problem& p, const Operands<float>& o) {
  const auto step = std::make_shared<ChannelStep<Layer>>(std::move(layer), p, o);
  const auto x = channel_tensor<const float>(p, o.x), dy = channel_tensor<const float>(p, o.dy);
  const auto y = channel_tensor(p, o.y), dx = channel_tensor(p, o.dx);
  if (pass == Pass::forward) return {[=] { std::as_const(step->layer)(executor, x, y); }, {}};
  if (pass == Pass::train) return {[=] { step->layer.forward(executor, x, y, step->saved); }, {}};
  step->layer.forward(x, y, step->saved);
  return {[=] { step->layer.backward(executor, dy, x, step->saved, dx); }, [=] { step->collect(o); }};
}

template <class Executor>
Maker<float> norma_on(const Executor& executor, ChannelNorm norm, Pass pass) {
  return [=](const Problem& p, const Operands<float>& o) {
    if (norm == ChannelNorm::batch) return work(executor, pass, norma::BatchNorm<float>(p.c), p, o);
    if (norm == ChannelNorm::group) return work(executor, pass, norma::GroupNorm<float>(p.groups, p.c), p, o);
    return work(executor, pass, norma::InstanceNorm<float>(p.c, {.affine = true}), p, o);
  };
}

void add_case(const char* name, ChannelNorm norm, Pass pass, const Problem& p) {
  Case<float> c{name, pass, p, {{"norma", norma_on(norma::sequential, norm, pass)}}, channel_norm_reference(norm, pass)};
#ifdef _OPENMP
  if (p.s == 56 * 56 || p.s == 64 * 64) c.impls.push_back({"norma_2threads", norma_on(norma::openmp(2), norm, pass)});
#endif
  if constexpr (has_onednn) {
    if (norm == ChannelNorm::batch) {
      c.impls.push_back({"onednn", [pass](const Problem& q, const Operands<float>& o) { return onednn::batch_norm(pass, q, o); }});
    }
  }
  if constexpr (has_torch) {
    c.impls.push_back(
        {"torch", [norm, pass](const Problem& q, const Operands<float>& o) { return libtorch::channel_norm(norm, pass, q, o); }});
  }
  c.impls.push_back({"loop", [norm, pass](const Problem& q, const Operands<float>& o) { return loop::channel_norm(norm, pass, q, o); }});
  // Others may add up a million numbers of a channel one after another in float, and lose as many digits.
  if (p.n * p.s > 1'000'000)
    for (Impl<float>& impl : c.impls)
      if (!impl.name.starts_with("norma")) impl.agreement = 10 * default_agreement<float>;
  add(std::move(c));
}

/// Each of the problems, which are NCHW, followed by its channels-last twin.
std::vector<Problem> in_both_layouts(const std::vector<Problem>& problems) {
  std::vector<Problem> both;
  for (Problem p : problems) {
    both.push_back(p);
    p.layout = "nhwc";
    both.push_back(p);
  }
  return both;
}

/// For GroupNorm with another number of groups than all the others.
Problem in_groups(index_t groups, Problem p) {
  p.groups = groups;
  p.shape += "_" + std::to_string(groups) + "groups";
  return p;
}

void add_batch_norm() {
  std::vector<Problem> problems =
      in_both_layouts({nchw(32, 64, 112, 112), nchw(32, 256, 56, 56), nchw(32, 256, 14, 14), nchw(32, 512, 7, 7), nchw(4, 3, 512, 512),
                       nchw(8, 24, 112, 112), nchw(64, 32, 56, 56), nchw(1, 512, 7, 7), nchw(16, 1280, 7, 7)});
  problems.push_back(rows(64, 1024));
  for (const Pass pass : {Pass::train, Pass::forward, Pass::backward}) {
    for (const Problem& p : problems) add_case("BatchNorm", ChannelNorm::batch, pass, p);
  }
}

void add_sample_norms() {
  const std::vector<Problem> both = in_both_layouts({nchw(2, 320, 64, 64), nchw(2, 1280, 16, 16), nchw(1, 128, 256, 256)});
  const std::vector<Problem> group = in_both_layouts({nchw(8, 64, 32, 32), nchw(1, 512, 64, 64), in_groups(8, nchw(2, 640, 32, 32))});
  const std::vector<Problem> instance = in_both_layouts({nchw(1, 3, 256, 256), nchw(4, 64, 128, 128)});
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    for (const Problem& p : both) {
      add_case("GroupNorm", ChannelNorm::group, pass, p);
      add_case("InstanceNorm", ChannelNorm::instance, pass, p);
    }
    for (const Problem& p : group) add_case("GroupNorm", ChannelNorm::group, pass, p);
    for (const Problem& p : instance) add_case("InstanceNorm", ChannelNorm::instance, pass, p);
  }
}

const Registration batch_norm(add_batch_norm);
const Registration sample_norms(add_sample_norms);

}  // namespace
}  // namespace bench
