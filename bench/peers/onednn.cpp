// oneDNN's layer normalization. Primitives, memories and the argument list are made once; run() is nothing but execute().
#include "onednn_execute.hpp"
#include "peers.hpp"

namespace bench::onednn {
namespace {

const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;

memory::desc matrix(const Problem& p) { return {{p.n, p.c}, memory::data_type::f32, memory::format_tag::ab}; }

dnnl::layer_normalization_forward::primitive_desc forward_desc(const Problem& p, dnnl::prop_kind kind) {
  return {dnnl::layer_normalization_forward::desc(kind, matrix(p), static_cast<float>(eps), flags), cpu()};
}

Arguments forward_arguments(const Problem& p, const Operands<float>& o) {
  return {{DNNL_ARG_SRC, borrow(matrix(p), o.x)},
          {DNNL_ARG_DST, borrow(matrix(p), o.y)},
          {DNNL_ARG_SCALE, borrow(vector(p.c), o.weight)},
          {DNNL_ARG_SHIFT, borrow(vector(p.c), o.bias)}};
}

}  // namespace

std::string version() {
  const dnnl_version_t* v = dnnl::version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

Work layer_norm_forward(const Problem& p, const Operands<float>& o) {
  return execute(dnnl::layer_normalization_forward(forward_desc(p, dnnl::prop_kind::forward_inference)), forward_arguments(p, o));
}

Work layer_norm_train(const Problem& p, const Operands<float>& o) {
  const auto desc = forward_desc(p, dnnl::prop_kind::forward_training);
  Arguments arguments = forward_arguments(p, o);
  arguments.emplace(DNNL_ARG_MEAN, memory(desc.mean_desc(), cpu()));
  arguments.emplace(DNNL_ARG_VARIANCE, memory(desc.variance_desc(), cpu()));
  return execute(dnnl::layer_normalization_forward(desc), arguments);
}

Work layer_norm_backward(const Problem& p, const Operands<float>& o) {
  const auto forward = forward_desc(p, dnnl::prop_kind::forward_training);
  const memory mean(forward.mean_desc(), cpu()), variance(forward.variance_desc(), cpu());
  Arguments training = forward_arguments(p, o);
  training.emplace(DNNL_ARG_MEAN, mean);
  training.emplace(DNNL_ARG_VARIANCE, variance);
  dnnl::layer_normalization_forward(forward).execute(stream(), training);

  const dnnl::layer_normalization_backward::primitive_desc backward(
      dnnl::layer_normalization_backward::desc(dnnl::prop_kind::backward, matrix(p), matrix(p), static_cast<float>(eps), flags), cpu(),
      forward);
  return execute(dnnl::layer_normalization_backward(backward), {{DNNL_ARG_SRC, borrow(matrix(p), o.x)},
                                                                {DNNL_ARG_DIFF_DST, borrow(matrix(p), o.dy)},
                                                                {DNNL_ARG_MEAN, mean},
                                                                {DNNL_ARG_VARIANCE, variance},
                                                                {DNNL_ARG_SCALE, borrow(vector(p.c), o.weight)},
                                                                {DNNL_ARG_SHIFT, borrow(vector(p.c), o.bias)},  // counted, not read
                                                                {DNNL_ARG_DIFF_SRC, borrow(matrix(p), o.dx)},
                                                                {DNNL_ARG_DIFF_SCALE, borrow(vector(p.c), o.weight_grad)},
                                                                {DNNL_ARG_DIFF_SHIFT, borrow(vector(p.c), o.bias_grad)}});
}

}  // namespace bench::onednn
