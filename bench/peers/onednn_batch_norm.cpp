// oneDNN's batch normalization, in the layouts a user has without reordering.
#include "onednn_execute.hpp"
#include "peers.hpp"

namespace bench::onednn {
namespace {

using Flags = dnnl::normalization_flags;

memory::desc image(const Problem& p) {
  return {{p.n, p.c, p.s, 1}, memory::data_type::f32, p.channels_last() ? memory::format_tag::nhwc : memory::format_tag::nchw};
}

struct Statistics {
  memory mean, variance;

  explicit Statistics(const Problem& p) : mean(vector(p.c), cpu()), variance(vector(p.c), cpu()) {
    for (index_t c = 0; c < p.c; ++c) {
      static_cast<float*>(mean.get_data_handle())[c] = running_mean<float>(c);
      static_cast<float*>(variance.get_data_handle())[c] = running_variance<float>(c);
    }
  }
};

}  // namespace

Work batch_norm(Pass pass, const Problem& p, const Operands<float>& o) {
  const Flags affine = Flags::use_scale | Flags::use_shift;
  const bool inference = pass == Pass::forward;
  const dnnl::batch_normalization_forward::primitive_desc forward(
      dnnl::batch_normalization_forward::desc(inference ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training, image(p),
                                              static_cast<float>(eps), inference ? affine | Flags::use_global_stats : affine),
      cpu());
  const Statistics statistics(p);
  const Arguments arguments = {
      {DNNL_ARG_SRC, borrow(image(p), o.x)},         {DNNL_ARG_DST, borrow(image(p), o.y)}, {DNNL_ARG_SCALE, borrow(vector(p.c), o.weight)},
      {DNNL_ARG_SHIFT, borrow(vector(p.c), o.bias)}, {DNNL_ARG_MEAN, statistics.mean},      {DNNL_ARG_VARIANCE, statistics.variance}};
  const dnnl::batch_normalization_forward primitive(forward);
  if (pass != Pass::backward) return execute(primitive, arguments);
  primitive.execute(stream(), arguments);
  const dnnl::batch_normalization_backward::primitive_desc backward(
      dnnl::batch_normalization_backward::desc(dnnl::prop_kind::backward, image(p), image(p), static_cast<float>(eps), affine), cpu(),
      forward);
  return execute(dnnl::batch_normalization_backward(backward), {{DNNL_ARG_SRC, borrow(image(p), o.x)},
                                                                {DNNL_ARG_DIFF_DST, borrow(image(p), o.dy)},
                                                                {DNNL_ARG_MEAN, statistics.mean},
                                                                {DNNL_ARG_VARIANCE, statistics.variance},
                                                                {DNNL_ARG_SCALE, borrow(vector(p.c), o.weight)},
                                                                {DNNL_ARG_SHIFT, borrow(vector(p.c), o.bias)},  // counted, not read
                                                                {DNNL_ARG_DIFF_SRC, borrow(image(p), o.dx)},
                                                                {DNNL_ARG_DIFF_SCALE, borrow(vector(p.c), o.weight_grad)},
                                                                {DNNL_ARG_DIFF_SHIFT, borrow(vector(p.c), o.bias_grad)}});
}

}  // namespace bench::onednn
