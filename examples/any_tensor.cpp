// One layer and tensors of every kind, in place and without a copy; xtensor, DLPack and std::mdspan where they are installed.
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>
#if __has_include(<mdspan>)
#include <mdspan>
#endif
#if __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <unsupported/Eigen/CXX11/Tensor>

#include <norma/norma.hpp>
#if __has_include(<dlpack/dlpack.h>)
#include <norma/interop/dlpack.hpp>
#endif

int main() {
  const norma::LayerNorm<float> ln({3});
  std::vector<float> x = {1, 2, 6, 4, 0, -1}, y(6), again = x;
  ln(norma::TensorView<float>(x, {2, 3}), norma::TensorView<float>(y, {2, 3}));  // a ShapeError if 2 * 3 elements are not there

  int wrong = 0;
  const auto check = [&](const char* tensor, auto element) {
    bool same = true;
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 3; ++j) same = same && element(i, j) == y[3 * i + j];
    std::printf("%-28s %s\n", tensor, same ? "the same bits" : "WRONG");
    wrong += same ? 0 : 1;
  };

  float array[2][3] = {{1, 2, 6}, {4, 0, -1}};
  ln(array, array);
  check("float[2][3]", [&](std::size_t i, std::size_t j) { return array[i][j]; });

  std::vector<std::array<float, 3>> points = {{1, 2, 6}, {4, 0, -1}};
  ln(points, points);
  check("vector of std::array", [&](std::size_t i, std::size_t j) { return points[i][j]; });

  Eigen::Tensor<float, 2> tensor(2, 3);  // column-major
  tensor.setValues({{1, 2, 6}, {4, 0, -1}});
  ln(tensor, tensor);
  check("Eigen::Tensor", [&](std::size_t i, std::size_t j) { return tensor(Eigen::Index(i), Eigen::Index(j)); });

#if defined(__cpp_lib_mdspan)
  std::vector<float> of_span = again;
  const std::mdspan span(of_span.data(), 2, 3);
  ln(span, span);
  check("std::mdspan", [&](std::size_t i, std::size_t j) { return of_span[3 * i + j]; });
#endif

#if __has_include(<xtensor/xtensor.hpp>)
  xt::xtensor<float, 3> batch = xt::zeros<float>({2, 2, 3});
  xt::view(batch, 1) = xt::xtensor<float, 2>{{1, 2, 6}, {4, 0, -1}};
  ln(xt::view(batch, 1), xt::view(batch, 1));
  check("a view of xt::xtensor", [&](std::size_t i, std::size_t j) { return batch(1, i, j); });
#endif

#if __has_include(<dlpack/dlpack.h>)
  std::int64_t shape[2] = {2, 3};
  DLTensor dl = {again.data(), {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};  // as numpy and PyTorch hand them out
  norma::dlpack(dl, [&](auto view) { ln(view, view); });                               // a view of whatever dtype says
  check("DLTensor", [&](std::size_t i, std::size_t j) { return again[3 * i + j]; });
#endif
  return wrong;
}
