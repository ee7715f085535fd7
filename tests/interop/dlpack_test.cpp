// norma::dlpack: DLTensors of every element type, strides and offsets as views, and what is refused.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include <norma/interop/dlpack.hpp>

#include "support/errors.hpp"

namespace {

using norma::Extents;
using norma::TensorView;
using norma_test::expect_shape_error;

constexpr DLDataType f32{kDLFloat, 32, 1}, f64{kDLFloat, 64, 1}, f16{kDLFloat, 16, 1}, bf16{kDLBfloat, 16, 1};

/// A DLTensor and what it points to.
struct Owner {
  std::vector<std::int64_t> shape, strides;
  DLTensor tensor{};

  Owner(void* data, DLDataType type, std::vector<std::int64_t> extents, std::vector<std::int64_t> steps = {})
      : shape(std::move(extents)), strides(std::move(steps)) {
    tensor.data = data;
    tensor.device = {kDLCPU, 0};
    tensor.ndim = static_cast<int>(shape.size());
    tensor.dtype = type;
    tensor.shape = shape.data();
    tensor.strides = strides.empty() ? nullptr : strides.data();
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
};

/// Which view f is called with.
template <class E>
void expect_elements(DLDataType type) {
  std::vector<E> memory(6);
  Owner owner(memory.data(), type, {2, 3});
  const auto is = [&](bool constant) {
    return [&, constant](auto view) {
      using Seen = typename decltype(view)::element_type;
      EXPECT_EQ(static_cast<const void*>(view.data()), memory.data());
      EXPECT_EQ(view.extents(), (Extents{2, 3}));
      EXPECT_EQ(view.strides(), (Extents{3, 1}));
      return std::is_same_v<Seen, E> ? !constant : std::is_same_v<Seen, const E> && constant;
    };
  };
  EXPECT_TRUE(norma::dlpack(owner.tensor, is(false)));
  EXPECT_TRUE(norma::dlpack(std::as_const(owner.tensor), is(true)));
}

TEST(Dlpack, EveryElementType) {
  expect_elements<float>(f32);
  expect_elements<double>(f64);
  expect_elements<norma::float16>(f16);
  expect_elements<norma::bfloat16>(bf16);
}

TEST(Dlpack, StridesAndOffset) {
  std::vector<float> memory(20);
  Owner owner(memory.data(), f32, {2, 3}, {1, -4});
  owner.tensor.byte_offset = 9 * sizeof(float);
  norma::dlpack(owner.tensor, [&](auto view) {
    EXPECT_EQ(view.strides(), (Extents{1, -4}));
    if constexpr (std::is_same_v<decltype(view), TensorView<float>>) view(1, 2) = 5;
  });
  EXPECT_EQ(memory[9 + 1 - 8], 5.0f);
}

TEST(Dlpack, ReturnsWhatTheFunctionReturns) {
  std::vector<double> memory(3);
  Owner owner(memory.data(), f64, {3});
  int calls = 0;
  decltype(auto) result = norma::dlpack(owner.tensor, [&](auto) -> int& { return ++calls; });
  static_assert(std::is_same_v<decltype(result), int&>);
  EXPECT_EQ(&result, &calls);
  EXPECT_EQ(calls, 1);
}

TEST(Dlpack, RankZeroAndNothing) {
  float number = 3;
  Owner scalar(&number, f32, {}), none(nullptr, f32, {0, 4});
  scalar.tensor.shape = nullptr;
  none.tensor.byte_offset = 2;  // of nothing
  EXPECT_EQ(norma::dlpack(scalar.tensor, [](auto view) { return view.rank() == 0 ? double{view()} : -1; }), 3.0);
  EXPECT_EQ(norma::dlpack(none.tensor, [](auto view) { return view.extents(); }), (Extents{0, 4}));
}

TEST(Dlpack, RefusesBeforeCalling) {
  alignas(8) float memory[8] = {};
  int calls = 0;
  const auto expect_refused = [&](const std::vector<std::string>& words, auto change, std::vector<std::int64_t> strides = {}) {
    Owner owner(memory, f32, {2, 3}, std::move(strides));
    change(owner.tensor);
    expect_shape_error("dlpack", words, [&] { norma::dlpack(owner.tensor, [&](auto) { ++calls; }); });
    expect_shape_error("dlpack", words, [&] { norma::dlpack(std::as_const(owner.tensor), [&](auto) { ++calls; }); });
  };
  expect_refused({"device of type 2", "CPU"}, [](DLTensor& t) { t.device.device_type = kDLCUDA; });
  for (const DLDataType type : {DLDataType{kDLInt, 32, 1}, DLDataType{kDLFloat, 8, 1}, DLDataType{kDLFloat, 32, 4},
                                DLDataType{kDLBfloat, 32, 1}, DLDataType{kDLComplex, 64, 1}, DLDataType{kDLFloat, 32, 0}}) {
    expect_refused({std::to_string(type.lanes) + " lanes of " + std::to_string(type.bits) + " bits", "code " + std::to_string(type.code)},
                   [&](DLTensor& t) { t.dtype = type; });
  }
  expect_refused({"9 axes"}, [](DLTensor& t) { t.ndim = 9; });
  expect_refused({"-1 axes"}, [](DLTensor& t) { t.ndim = -1; });
  expect_refused({"null pointer", "(2, 3)"}, [](DLTensor& t) { t.data = nullptr; });
  expect_refused({"4 bytes", "byte_offset is 2"}, [](DLTensor& t) { t.byte_offset = 2; });
  Owner negative(memory, f32, {2, -3});
  expect_shape_error("TensorView", {"-3", "negative"}, [&] { norma::dlpack(negative.tensor, [&](auto) { ++calls; }); });
  EXPECT_EQ(calls, 0);
}

}  // namespace
