// RMSNorm for libtorch: norma's forward and backward as a torch::autograd::Function, on torch's tensors as they lie and in torch's threads.
#include <chrono>
#include <cstdio>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <norma/norma.hpp>

namespace {

using torch::autograd::variable_list;

/// torch's threads as an executor of norma. The bits of a result do not depend on how many there are.
struct TorchThreads {
  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    at::parallel_for(0, tasks, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) f(i);
    });
  }
  int concurrency() const { return at::get_num_threads(); }
};

/// No .contiguous(): strides are handed on, the 0 of an expanded tensor too. A tensor that is not there is an absent view.
template <class T>
norma::TensorView<T> view(const at::Tensor& t) {
  return t.defined() ? norma::TensorView<T>(t.data_ptr<T>(), t.sizes(), t.strides()) : norma::TensorView<T>();
}

/// What norma's backward wants to know of its forward, where autograd can keep it.
template <class T>
struct Kept : torch::CustomClassHolder {
  norma::Saved<T> saved;
};

/// Over the last axis of x; x and weight are float or double.
struct RMSNorm : torch::autograd::Function<RMSNorm> {
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& x, const at::Tensor& weight, double eps) {
    at::Tensor y = at::empty_like(x);  // in x's order of memory
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "norma::rms_norm", [&] {
      auto kept = c10::make_intrusive<Kept<scalar_t>>();
      norma::rms_norm(TorchThreads(), view<scalar_t>(x), view<scalar_t>(y), kept->saved, {.weight = view<scalar_t>(weight), .eps = eps});
      ctx->saved_data["kept"] = c10::IValue::make_capsule(std::move(kept));
    });
    ctx->save_for_backward({x, weight});  // as variables: autograd then notices if they are changed before backward
    return y;
  }

  static variable_list backward(torch::autograd::AutogradContext* ctx, const variable_list& dy) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "norma::rms_norm has no second derivatives: create_graph would lose them silently");
    const variable_list in = ctx->get_saved_variables();
    at::Tensor dx, dweight;  // what nobody asks for stays undefined and is not computed
    if (ctx->needs_input_grad(0)) dx = at::empty_like(in[0]);
    if (ctx->needs_input_grad(1)) dweight = at::zeros_like(in[1]);  // norma adds to it
    AT_DISPATCH_FLOATING_TYPES(in[0].scalar_type(), "norma::rms_norm_backward", [&] {
      norma::Saved<scalar_t>& saved = static_cast<Kept<scalar_t>&>(*ctx->saved_data["kept"].toCapsule()).saved;
      norma::rms_norm_backward(TorchThreads(), view<scalar_t>(dy[0]), view<scalar_t>(in[0]), saved, view<scalar_t>(dx),
                               {.weight = view<scalar_t>(in[1]), .weight_grad = view<scalar_t>(dweight)});
    });
    return {dx, dweight, at::Tensor()};  // eps has no gradient
  }
};

constexpr double eps = 1e-6;
at::Tensor by_norma(const at::Tensor& x, const at::Tensor& weight) { return RMSNorm::apply(x, weight, eps); }
at::Tensor by_torch(const at::Tensor& x, const at::Tensor& weight) { return x * (x * x).mean(-1, true).add(eps).rsqrt() * weight; }

bool close(const char* what, const at::Tensor& ours, const at::Tensor& theirs, double tolerance) {
  const double apart = ((ours - theirs).abs().max() / theirs.abs().max()).item<double>();
  std::printf("%-34s %.1e apart\n", what, apart);
  return apart < tolerance;
}

}  // namespace

int main() {
  at::manual_seed(1);
  bool right = true;
  for (const auto& [type, tolerance] : {std::pair(at::kDouble, 1e-12), std::pair(at::kFloat, 1e-5)}) {
    const at::Tensor x = at::randn({64, 3, 40}, type).transpose(0, 2).requires_grad_(), weight = at::randn({64}, type).requires_grad_();
    const at::Tensor dy = at::randn({40, 1, 64}, type).expand({40, 3, 64});  // x by columns, dy with a stride of 0
    const at::Tensor ours = by_norma(x, weight), theirs = by_torch(x, weight);
    const variable_list d = torch::autograd::grad({ours}, {x, weight}, {dy}), e = torch::autograd::grad({theirs}, {x, weight}, {dy});
    right &= close("y, norma and torch's operators", ours, theirs, tolerance);
    right &= close("dx", d[0], e[0], tolerance) && close("dweight", d[1], e[1], tolerance);
    if (type == at::kFloat) continue;  // finite differences want double
    const at::Tensor v = at::randn_like(x), u = at::randn_like(weight);
    const auto loss = [&](double h) { return (by_norma(x + h * v, weight + h * u) * dy).sum(); };
    right &= close("along a line, finite differences", (d[0] * v).sum() + (d[1] * u).sum(), (loss(1e-5) - loss(-1e-5)) / 2e-5, 1e-7);
  }

  const at::Tensor x = at::randn({512, 1024}).requires_grad_(), weight = at::ones({1024}).requires_grad_(), dy = at::ones_like(x);
  for (const auto& [name, norm] : {std::pair("norma", &by_norma), std::pair("torch's operators", &by_torch)}) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 20; ++i) torch::autograd::grad({norm(x, weight)}, {x, weight}, {dy});
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
    std::printf("%-18s %.2f ms forward and backward of 512 x 1024\n", name, ms.count() / 20);
  }
  try {
    torch::autograd::grad({by_norma(x, weight)}, {x}, {dy}, true, /*create_graph=*/true);
    right = false;
  } catch (const c10::Error& e) {
    std::printf("create_graph: %s\n", e.what_without_backtrace());
  }
  return right ? 0 : 1;
}
