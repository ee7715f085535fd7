// libtorch as oracle: its _weight_norm for WeightNorm (dim 0 and last), and its layer_norm over heads for QKNorm, with all gradients.
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/weights.hpp"

namespace norma_test {
namespace {

template <class T>
torch::Tensor to_torch(const std::vector<T>& values, const Extents& extents) {
  const std::vector<std::int64_t> sizes(extents.begin(), extents.end());
  return torch::from_blob(const_cast<T*>(values.data()), sizes, std::is_same_v<T, float> ? torch::kFloat32 : torch::kFloat64).clone();
}

template <class T>
std::vector<T> from_torch(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

/// |ours - theirs| <= our bound + their error against the exact answer, which itself must be right but for its last three digits.
template <class T>
void expect_close(const char* what, const std::vector<T>& ours, const std::vector<T>& theirs, const std::vector<real>& exact,
                  const std::vector<real>& bound) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const real their_error = std::abs(theirs[i] - exact[i]);
    ASSERT_LE(std::abs(static_cast<real>(ours[i]) - theirs[i]), bound[i] + their_error) << what << " at " << i;
    ASSERT_LE(their_error, 1000 * bound[i]) << what << ": torch and the reference disagree at " << i;
  }
}

class TorchWeightNorm : public testing::TestWithParam<WeightShape> {};

template <class T>
void compare(const WeightShape& shape) {
  Setting s;
  s.extents = shape.extents;
  s.axes.clear();
  for (std::size_t a = 0; a < s.extents.size(); ++a) {
    if (a != shape.axis()) s.axes.push_back(static_cast<std::ptrdiff_t>(a));
  }
  s.weight = Form::per_set;
  s.bias = Form::absent;
  s.eps = 0;
  const auto in = random_inputs<T, T, T>(s, 501);
  const reference::Problem p = problem(s, in);
  const reference::Answer exact = reference::unit_norm(p);
  const Bounds bound = bounds(p, exact, precision_of<T>());

  torch::Tensor v = to_torch(in.x, s.extents).requires_grad_(), g = to_torch(in.weight, spread_extents(s.weight, s)).requires_grad_();
  const torch::Tensor w = torch::_weight_norm(v, g, *shape.dim);
  w.backward(to_torch(in.dy, s.extents));

  norma::WeightNorm<T> layer(norma::TensorView<const T>(in.x.data(), norma::Extents(s.extents)), {.dim = *shape.dim});
  std::copy(in.weight.begin(), in.weight.end(), layer.g().begin());
  std::vector<T> ours(in.x.size());
  norma::Saved<T> saved;
  layer.forward(norma::TensorView<T>(ours.data(), s.extents), saved);
  layer.backward(norma::TensorView<const T>(in.dy.data(), s.extents), saved);
  expect_close("w", ours, from_torch<T>(w), exact.y, bound.y);
  expect_close("dv", values_of(layer.v_grad()), from_torch<T>(v.grad()), exact.dx, bound.dx);
  expect_close("dg", values_of(layer.g_grad()), from_torch<T>(g.grad()), exact.dweight, bound.dweight);
}

TEST_P(TorchWeightNorm, ForwardAndBackward) {
  compare<float>(GetParam());
  compare<double>(GetParam());
}

/// torch takes the first or the last axis here; several lengths and ranks.
std::vector<WeightShape> torch_shapes() {
  std::vector<WeightShape> shapes;
  for (const Extents& extents : std::vector<Extents>{{5, 31}, {64, 257}, {3, 1030}, {6, 3, 3, 3}, {8, 4, 5}, {4, 3, 2, 2, 3}}) {
    shapes.push_back({extents, 0});
    shapes.push_back({extents, static_cast<std::ptrdiff_t>(extents.size()) - 1});
  }
  return shapes;
}
INSTANTIATE_TEST_SUITE_P(All, TorchWeightNorm, testing::ValuesIn(torch_shapes()), CaseName());

template <class T>
void compare_heads(std::ptrdiff_t head_dim) {
  Setting s;
  s.extents = {2, 7, 4, head_dim};
  s.eps = 1e-6;
  const auto q = random_inputs<T, T, T>(s, 511, 0.5), k = random_inputs<T, T, T>(s, 521, 0.5);
  norma::QKNorm<T> layer(head_dim, {.form = norma::QKForm::layer});
  const auto fill = [](const std::vector<T>& from, std::span<T> to) { std::copy(from.begin(), from.end(), to.begin()); };
  fill(q.weight, layer.q_weight());
  fill(q.bias, layer.q_bias());
  fill(k.weight, layer.k_weight());
  fill(k.bias, layer.k_bias());
  std::vector<T> q_hat(q.x.size()), k_hat(q.x.size()), dq(q.x.size()), dk(q.x.size());
  const auto in = [&](const std::vector<T>& values) { return norma::TensorView<const T>(values.data(), s.extents); };
  const auto out = [&](std::vector<T>& values) { return norma::TensorView<T>(values.data(), s.extents); };
  norma::Saved<T> saved;
  layer.forward(in(q.x), in(k.x), out(q_hat), out(k_hat), saved);
  layer.backward(in(q.dy), in(k.dy), in(q.x), in(k.x), saved, out(dq), out(dk));
  const auto check = [&](const auto& side, const std::vector<T>& y, const std::vector<T>& dx, std::span<T> dweight, std::span<T> dbias) {
    const reference::Problem p = problem(s, side);
    const reference::Answer exact = reference::layer_norm(p);
    const Bounds bound = bounds(p, exact, precision_of<T>());
    torch::Tensor x = to_torch(side.x, s.extents).requires_grad_(), weight = to_torch(side.weight, {head_dim}).requires_grad_(),
                  bias = to_torch(side.bias, {head_dim}).requires_grad_();
    const torch::Tensor theirs = torch::layer_norm(x, {head_dim}, weight, bias, s.eps);
    theirs.backward(to_torch(side.dy, s.extents));
    expect_close("output", y, from_torch<T>(theirs), exact.y, bound.y);
    expect_close("gradient", dx, from_torch<T>(x.grad()), exact.dx, bound.dx);
    expect_close("dweight", values_of(dweight), from_torch<T>(weight.grad()), exact.dweight, bound.dweight);
    expect_close("dbias", values_of(dbias), from_torch<T>(bias.grad()), exact.dbias, bound.dbias);
  };
  check(q, q_hat, dq, layer.q_weight_grad(), layer.q_bias_grad());
  check(k, k_hat, dk, layer.k_weight_grad(), layer.k_bias_grad());
}

TEST(TorchQKNormLayerForm, IsLayerNormOverHeads) {
  for (const std::ptrdiff_t head_dim : {2, 17, 64, 80, 96, 128, 256}) {
    SCOPED_TRACE(head_dim);
    compare_heads<float>(head_dim);
    compare_heads<double>(head_dim);
  }
}

}  // namespace
}  // namespace norma_test
