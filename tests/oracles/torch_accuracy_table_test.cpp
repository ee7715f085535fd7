// A table of the worst error of norma, libtorch and oneDNN on the same data, in units of norma's bound and in ulps; norma's is asserted.
#include <torch/torch.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#if defined(NORMA_HAVE_DNNL)
#include <dnnl.hpp>
#endif

#include "support/compare.hpp"

namespace norma_test {
namespace {

/// Worst error of one implementation.
struct Worst {
  real bounds = 0, ulps = 0;

  void include(const std::vector<float>& y, const reference::Problem& p, const reference::Answer& exact, const std::vector<real>& bound) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      const real error = std::isnan(y[i]) ? HUGE_VALL : std::abs(static_cast<real>(y[i]) - exact.y[i]);
      // An ulp of y, but not of a y that is small by chance: x_hat is of size 1, so y is of the weight's.
      const auto size = static_cast<float>(std::max(std::abs(exact.y[i]), std::abs(p.weight[i])));
      const real ulp = std::nextafterf(size, HUGE_VALF) - size;
      bounds = std::max(bounds, error / bound[i]);
      ulps = std::max(ulps, error / ulp);
    }
  }
};

std::vector<float> by_torch(const Setting& s, const Inputs<float, float, float>& in) {
  const std::vector<std::int64_t> sizes(s.extents.begin(), s.extents.end());
  const auto tensor = [](const std::vector<float>& v, const std::vector<std::int64_t>& shape) {
    return torch::from_blob(const_cast<float*>(v.data()), shape, torch::kFloat32);
  };
  const torch::NoGradGuard no_grad;
  const torch::Tensor y =
      torch::layer_norm(tensor(in.x, sizes), {sizes[1]}, tensor(in.weight, {sizes[1]}), tensor(in.bias, {sizes[1]}), s.eps).contiguous();
  return {y.data_ptr<float>(), y.data_ptr<float>() + y.numel()};
}

#if defined(NORMA_HAVE_DNNL)
std::vector<float> by_onednn(const Setting& s, Inputs<float, float, float> in) {
  using namespace dnnl;
  const engine cpu(engine::kind::cpu, 0);
  stream on(cpu);
  const memory::desc x_desc({s.extents[0], s.extents[1]}, memory::data_type::f32, memory::format_tag::ab);
  const layer_normalization_forward::desc desc(prop_kind::forward_inference, x_desc, static_cast<float>(s.eps),
                                               normalization_flags::use_scale | normalization_flags::use_shift);
  const layer_normalization_forward::primitive_desc primitive(desc, cpu);
  const memory::desc parameter({s.extents[1]}, memory::data_type::f32, memory::format_tag::a);
  std::vector<float> y(in.x.size());
  memory x_memory(x_desc, cpu, in.x.data()), y_memory(x_desc, cpu, y.data());
  memory scale(parameter, cpu, in.weight.data()), shift(parameter, cpu, in.bias.data());
  layer_normalization_forward(primitive).execute(
      on, {{DNNL_ARG_SRC, x_memory}, {DNNL_ARG_DST, y_memory}, {DNNL_ARG_SCALE, scale}, {DNNL_ARG_SHIFT, shift}});
  on.wait();
  return y;
}
#endif

TEST(AccuracyTable, LayerNormForwardSideBySide) {
  const auto& norm = catalogue<float, float>().front();
  ASSERT_EQ(norm.name, "LayerNorm");
  std::printf("Worst error of LayerNorm forward, f32: |y - exact| in units of norma's bound, and in ulps of an ordinary y\n");
  std::printf("%12s %8s | %10s %10s | %10s %10s | %10s %10s\n", "mean/sigma", "length", "norma", "ulps", "libtorch", "ulps", "oneDNN",
              "ulps");
  for (const double mean : {0.0, 1.0, 1e2, 1e4, 1e6}) {
    for (const std::ptrdiff_t length : {16, 64, 768, 1024, 4096, 16389, 70000}) {
      const Setting s = rows_of(length > 10000 ? 4 : 32, length);
      Worst ours, torchs, onednns;
      for (const std::uint64_t seed : {1u, 2u, 3u}) {
        auto inputs = random_inputs<float, float, float>(s, seed, mean);
        for (float& w : inputs.weight) w = std::abs(w) + 0.5f;
        const reference::Problem p = problem(s, inputs);
        const reference::Answer exact = norm.reference(p);
        const std::vector<real> bound = bounds(p, exact, precision_of<float>()).y;
        ours.include(run(norm, s, inputs).y, p, exact, bound);
        torchs.include(by_torch(s, inputs), p, exact, bound);
#if defined(NORMA_HAVE_DNNL)
        onednns.include(by_onednn(s, inputs), p, exact, bound);
#endif
      }
      std::printf("%12g %8td | %10.2Lf %10.4Lg | %10.2Lf %10.4Lg | ", mean, length, ours.bounds, ours.ulps, torchs.bounds, torchs.ulps);
#if defined(NORMA_HAVE_DNNL)
      std::printf("%10.2Lf %10.4Lg\n", onednns.bounds, onednns.ulps);
#else
      std::printf("%10s %10s\n", "not built", "");
#endif
      EXPECT_LE(ours.bounds, 1) << "mean/sigma " << mean << ", length " << length;
    }
  }
}

}  // namespace
}  // namespace norma_test
