// Between the tests' vectors and libtorch's tensors, and how its answers are compared with ours.
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "support/compare.hpp"

namespace norma_test {

template <class T>
constexpr auto torch_type = std::is_same_v<T, float> ? torch::kFloat32 : torch::kFloat64;

template <class T>
torch::Tensor to_torch(const std::vector<T>& values, const Extents& extents) {
  const std::vector<std::int64_t> sizes(extents.begin(), extents.end());
  return torch::from_blob(const_cast<T*>(values.data()), sizes, torch_type<T>).clone();
}

template <class T>
std::vector<T> from_torch(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

template <class T>
struct TorchResults {
  std::vector<T> y, dx, dweight, dbias;
};

/// |ours - theirs| <= our bound + their error, measured against the exact answer: their mistakes are not held against us.
template <class T>
void expect_close(const char* what, const std::vector<T>& ours, const std::vector<T>& theirs, const std::vector<real>& exact,
                  const std::vector<real>& bound) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const real their_error = std::abs(theirs[i] - exact[i]);
    ASSERT_LE(std::abs(static_cast<real>(ours[i]) - theirs[i]), bound[i] + their_error) << what << " at " << i;
    // An oracle far from the reference would say nothing: it must itself be right but for its last three digits.
    ASSERT_LE(their_error, 1000 * bound[i]) << what << ": torch and the reference disagree at " << i;
  }
}

}  // namespace norma_test
