// libtorch as oracle: LayerNorm forward and backward with all gradients, and RMSNorm composed from torch operators.
#include <cmath>
#include <string>
#include <vector>

#include "oracles/torch_bridge.hpp"

namespace norma_test {
namespace {

/// x normalized by torch; autograd does the rest. Over any axes, as an expression of elementary operators.
torch::Tensor composed(const Norm<double, double>& norm, const torch::Tensor& x, const Setting& s) {
  const std::vector<std::int64_t> axes(s.axes.begin(), s.axes.end());
  const torch::Tensor centred = norm.centred ? x - x.mean(axes, true) : x;
  const torch::Tensor variance = centred.square().mean(axes, true);
  return s.eps_outside_sqrt ? centred / (variance.sqrt() + s.eps) : centred * torch::rsqrt(variance + s.eps);
}

/// Everything of one setting by torch in T. Trailing axes of LayerNorm with plain parameters go to torch's own kernel.
template <class T>
TorchResults<T> by_torch(const Norm<double, double>& norm, const Setting& s, const Inputs<T, T, T>& in, bool own_kernel) {
  torch::Tensor x = to_torch(in.x, s.extents).requires_grad_();
  torch::Tensor weight, bias, y;
  if (!in.weight.empty())
    weight = to_torch(in.weight, own_kernel ? parameter_extents(s.weight, s) : spread_extents(s.weight, s)).requires_grad_();
  if (!in.bias.empty()) bias = to_torch(in.bias, own_kernel ? parameter_extents(s.bias, s) : spread_extents(s.bias, s)).requires_grad_();
  if (own_kernel) {
    const Extents shape = parameter_extents(Form::normalized, s);
    y = torch::layer_norm(x, std::vector<std::int64_t>(shape.begin(), shape.end()), weight, bias, s.eps);
  } else {
    y = composed(norm, x, s);
    if (weight.defined()) y = y * (s.unit_offset ? 1 + weight : weight);
    if (bias.defined()) y = y + bias;
  }
  y.backward(to_torch(in.dy, s.extents));
  TorchResults<T> r;
  r.y = from_torch<T>(y);
  r.dx = from_torch<T>(x.grad());
  if (weight.defined()) r.dweight = from_torch<T>(weight.grad());
  if (bias.defined()) r.dbias = from_torch<T>(bias.grad());
  return r;
}

template <class T>
void compare(const Entry& entry, const Setting& s, const Where& where, bool own_kernel) {
  SCOPED_TRACE(entry.name() + ": " + describe(s) + ", " + name_of(where.layout));
  const auto& norm = entry.get<T>();
  const auto inputs = random_inputs<T, T, T>(s, 81, 0.5);
  const auto ours = run(norm, s, inputs, everywhere(where));
  const auto theirs = by_torch<T>(catalogue<double, double>()[entry.norm], s, inputs, own_kernel);
  const reference::Problem p = problem(s, inputs);
  const reference::Answer exact = norm.reference(p);
  const Bounds bound = bounds(p, exact, precision_of<T>());
  expect_close("y", ours.y, theirs.y, exact.y, bound.y);
  expect_close("dx", ours.dx, theirs.dx, exact.dx, bound.dx);
  expect_close("dweight", ours.dweight, theirs.dweight, exact.dweight, bound.dweight);
  expect_close("dbias", ours.dbias, theirs.dbias, exact.dbias, bound.dbias);
}

class TorchOracle : public testing::TestWithParam<ShapeCase> {};

TEST_P(TorchOracle, ForwardAndBackward) {
  const Entry& entry = GetParam().entry;
  const Shape& shape = GetParam().shape;
  if (count(shape.extents) == 0) return;  // nothing to compare; the property tests cover it
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    for (const Layout layout : {Layout::contiguous, Layout::reversed, Layout::sliced}) {
      Where where;
      where.layout = layout;
      for (const Parameters& parameters : all_parameters()) {
        Setting s = shape.setting();
        set_parameters(s, parameters);
        s.eps = 1e-5;
        compare<T>(entry, s, where, false);
        s.eps_outside_sqrt = entry.family().has_eps_outside_sqrt;
        if (s.eps_outside_sqrt) compare<T>(entry, s, where, false);
        if (count(shape.extents) > 100000) return;
      }
    }
  });
}
INSTANTIATE_TEST_SUITE_P(All, TorchOracle, testing::ValuesIn(shape_cases(row_entries())), CaseName());

class TorchLayerNorm : public testing::TestWithParam<LengthCase> {};

// torch::layer_norm itself, over one and over two trailing axes, with every combination of absent parameters.
TEST_P(TorchLayerNorm, OwnKernel) {
  const Entry& entry = GetParam().entry;
  const std::ptrdiff_t length = GetParam().length;
  with_element(entry, [&](auto zero) {
    using T = decltype(zero);
    Setting one = rows_of(6, length), two;
    two.extents = {4, 3, length};
    two.axes = {1, 2};
    for (Setting s : {one, two}) {
      for (const Form weight : {Form::normalized, Form::absent}) {
        for (const Form bias : {Form::normalized, Form::absent}) {
          s.weight = weight;
          s.bias = bias;
          compare<T>(entry, s, {}, true);
        }
      }
    }
  });
}

std::vector<LengthCase> layer_norm_lengths() {
  std::vector<LengthCase> cases;
  for (const Entry& entry : all_entries()) {
    if (norm_names()[entry.norm] != "LayerNorm") continue;
    for (const std::ptrdiff_t length :
         {2, 3, 5, 8, 16, 17, 31, 32, 33, 64, 100, 127, 128, 131, 256, 257, 768, 1023, 1024, 1025, 4096, 8193}) {
      cases.push_back({entry, length});
    }
  }
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, TorchLayerNorm, testing::ValuesIn(layer_norm_lengths()), CaseName());

}  // namespace
}  // namespace norma_test
