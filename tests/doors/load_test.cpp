// load: what a lookup may be and give, what is missing and unexpected, and that nothing is written where anything is wrong.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <norma/doors/load.hpp>

#include "support/errors.hpp"

namespace {

using norma::TensorView;
using norma_test::expect_shape_error;
using Names = std::vector<std::string>;

/// What load asks of a layer. Its weight is a matrix of 2 x 2 elsewhere.
struct Layer {
  std::vector<float> weight = {1, 1, 1, 1}, bias = {0, 0}, weight_grad = {7, 7, 7, 7}, bias_grad = {7, 7}, mean = {0, 0};
  std::int64_t batches = 5;
  bool tracks = true;

  template <class F>
  void for_each_parameter(F&& f) {
    f(std::string_view("weight"), std::span<float>(weight), std::span<float>(weight_grad));
    f(std::string_view("bias"), std::span<float>(bias), std::span<float>(bias_grad));
  }
  template <class F>
  void for_each_buffer(F&& f) {
    if (tracks) f(std::string_view("running_mean"), std::span<float>(mean));
  }
  void set_num_batches_tracked(std::int64_t n) { batches = n; }
  bool operator==(const Layer&) const = default;
};

const Layer trained{.weight = {1, 2, 3, 4}, .bias = {5, 6}, .mean = {8, 9}, .batches = 12};
const std::map<std::string, std::vector<float>> checkpoint = {
    {"weight", {1, 2, 3, 4}}, {"bias", {5, 6}}, {"running_mean", {8, 9}}, {"num_batches_tracked", {12}}};

/// The layer is what was trained, and every name was found.
template <class Lookup>
void expect_loads(Lookup&& lookup) {
  Layer layer;
  const norma::LoadResult result = norma::load(layer, lookup);
  EXPECT_EQ(layer, trained);
  EXPECT_EQ(result.missing, Names());
  EXPECT_EQ(result.unexpected, Names());
}

TEST(Load, LookupsOfEveryKind) {
  expect_loads(checkpoint);
  expect_loads(std::unordered_map<std::string_view, std::vector<double>>{
      {"weight", {1, 2, 3, 4}}, {"bias", {5, 6}}, {"running_mean", {8, 9}}, {"num_batches_tracked", {12}}});
  const auto find = [&](std::string_view name) { return checkpoint.find(std::string(name)); };
  expect_loads([&](std::string_view name) { return &find(name)->second; });
  expect_loads([&](const std::string& name) { return checkpoint.at(name); });
  expect_loads([&](std::string_view name) -> const std::vector<float>& { return find(name)->second; });
  expect_loads([&](std::string_view name) { return std::optional(checkpoint.at(std::string(name))); });
  expect_loads([&](std::string_view name) { return std::optional(std::span(find(name)->second)); });
  expect_loads([&](std::string_view name) { return std::make_unique<std::vector<float>>(find(name)->second); });
  expect_loads([&](std::string_view name) { return norma::view(find(name)->second); });
}

TEST(Load, NothingFoundKeepsTheValues) {
  const auto expect_missing = [](auto&& lookup) {
    Layer layer;
    const norma::LoadResult result = norma::load(layer, lookup);
    EXPECT_EQ(result.missing, (Names{"weight", "bias", "running_mean"})) << "the counter is never missing";
    EXPECT_EQ(layer, Layer());
  };
  expect_missing(std::map<std::string, std::vector<float>>());
  expect_missing([](std::string_view) { return static_cast<const std::vector<float>*>(nullptr); });
  expect_missing([](std::string_view) { return std::optional<std::vector<double>>(); });
  expect_missing([](std::string_view) { return std::unique_ptr<std::vector<float>>(); });
  expect_missing([](std::string_view) { return TensorView<const float>(); });
  expect_missing([](std::string_view) { return std::variant<std::monostate, TensorView<const float>>(); });
  Layer layer;
  const auto [missing, unexpected] = norma::load(layer, std::map<std::string, std::vector<float>>{{"bias", {5, 6}}, {"scale", {1}}});
  EXPECT_EQ(missing, (Names{"weight", "running_mean"}));
  EXPECT_EQ(unexpected, Names{"scale"});
  EXPECT_EQ(layer.bias, trained.bias);
  EXPECT_EQ(layer.weight, Layer().weight);
}

TEST(Load, UnexpectedNamesOfAFunctionThatHasNames) {
  struct File {
    std::array<const char*, 3> names() const { return {"gamma", "bias", "num_batches_tracked"}; }
    std::optional<std::array<float, 2>> operator()(std::string_view name) const {
      return name == "bias" ? std::optional(std::array{5.0f, 6.0f}) : std::nullopt;
    }
  };
  Layer layer, untracked{.tracks = false};
  EXPECT_EQ(norma::load(layer, File()).unexpected, Names{"gamma"});
  EXPECT_EQ(norma::load(untracked, File()).unexpected, (Names{"gamma", "num_batches_tracked"}));
  EXPECT_EQ(norma::load(untracked, File()).missing, Names{"weight"});
}

TEST(Load, ElementsOfEveryTypeInEveryLayout) {
  const std::array<double, 4> columns = {1, 3, 2, 4};
  const std::array<norma::bfloat16, 2> bias = {norma::bfloat16(5), norma::bfloat16(6)};
  const std::array<norma::float16, 1> count = {norma::float16(12)};
  const float mean[2] = {9, 8};
  using Tensor = std::variant<std::monostate, TensorView<const float>, TensorView<const double>, TensorView<const norma::bfloat16>,
                              TensorView<const norma::float16>>;
  const std::map<std::string, Tensor> mixed = {{"weight", TensorView<const double>(columns, {2, 2}, {1, 2})},
                                               {"bias", TensorView<const norma::bfloat16>(bias, {2, 1})},
                                               {"running_mean", norma::view(mean).flip(0)},
                                               {"num_batches_tracked", TensorView<const norma::float16>(count, {})}};
  expect_loads(mixed);
  expect_loads([&](std::string_view name) { return mixed.at(std::string(name)); });
  Layer layer;
  norma::load(layer, std::map<std::string, std::vector<double>>{{"bias", {1.0 / 3, 1e300}}});
  EXPECT_EQ(layer.bias[0], 1.0f / 3) << "rounded once";
  EXPECT_EQ(layer.bias[1], std::numeric_limits<float>::infinity());
}

TEST(Load, AsksOnceForEachName) {
  Names asked;
  Layer layer;
  norma::load(layer, [&](std::string_view name) {
    asked.emplace_back(name);
    return checkpoint.at(asked.back());
  });
  EXPECT_EQ(asked, (Names{"weight", "bias", "running_mean", "num_batches_tracked"}));
}

TEST(Load, AReusedBufferIsGivenByValue) {
  std::vector<float> buffer;
  const auto read = [&](std::string_view name) { buffer = checkpoint.at(std::string(name)); };
  expect_loads([&](std::string_view name) {
    read(name);
    return buffer;
  });
  Layer layer;
  const auto by_address = [&](std::string_view name) {
    read(name);
    return &buffer;
  };
  expect_shape_error("load", {"weight has 4 elements", "(1)"}, [&] { norma::load(layer, by_address); });
}

TEST(Load, NothingIsWrittenWhereAnythingIsWrong) {
  const auto expect_error = [](const std::string& name, const std::vector<float>& value, const std::vector<std::string>& words) {
    auto wrong = checkpoint;
    wrong[name] = value;
    Layer layer;
    expect_shape_error("load", words, [&] { norma::load(layer, wrong); });
    EXPECT_EQ(layer, Layer()) << name;
  };
  expect_error("weight", {1, 2, 3}, {"weight has 4 elements in the layer", "extents (3)"});
  expect_error("bias", {1, 2, 3, 4}, {"bias has 2 elements", "(4)"});
  expect_error("running_mean", {}, {"running_mean has 2 elements", "(0)"});
  expect_error("num_batches_tracked", {1, 2}, {"num_batches_tracked has 1 element in", "(2)"});
  for (const float count : {-1.0f, 1.5f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    expect_error("num_batches_tracked", {count}, {"num_batches_tracked is", "whole number"});
  }
  Layer layer;
  const auto null = [](std::string_view name) { return TensorView<float>(nullptr, {name == "weight" ? 4 : 2}); };
  expect_shape_error("load", {"weight", "null pointer"}, [&] { norma::load(layer, null); });
  const auto throws = [](std::string_view name) -> std::vector<float> {
    return name == "running_mean" ? throw std::runtime_error("the disk") : checkpoint.at(std::string(name));
  };
  EXPECT_THROW(norma::load(layer, throws), std::runtime_error);
  EXPECT_EQ(layer, Layer());
}

}  // namespace
