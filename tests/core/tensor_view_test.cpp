// TensorView: every function, every error, ranks 0 to 8, negative axes, conversions.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include <norma/core/tensor_view.hpp>

namespace {

using norma::Extents;
using norma::ShapeError;
using norma::TensorView;

// A contract of layout and cost, checked by the compiler.
static_assert(std::is_trivially_copyable_v<TensorView<float>>);
static_assert(std::is_trivially_destructible_v<TensorView<const double>>);
static_assert(std::is_same_v<norma::index_t, std::ptrdiff_t>);
static_assert(std::is_convertible_v<TensorView<float>, TensorView<const float>>);
static_assert(!std::is_convertible_v<TensorView<const float>, TensorView<float>>);
static_assert(!std::is_convertible_v<TensorView<float>, TensorView<double>>);
static_assert(!std::is_convertible_v<TensorView<float>, TensorView<const double>>);
static_assert(std::is_base_of_v<std::invalid_argument, ShapeError>);

std::vector<float> counting(std::size_t n) {
  std::vector<float> v(n);
  std::iota(v.begin(), v.end(), 0.0f);
  return v;
}

/// The message of the ShapeError that f throws.
template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const ShapeError& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

void expect_words(const std::string& message, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(message.find(word), std::string::npos) << "no \"" << word << "\" in: " << message;
  }
}

/// All elements in logical row-major order.
template <class T>
std::vector<T> elements(const TensorView<T>& v) {
  std::vector<T> result;
  std::array<norma::index_t, 8> index{};
  for (norma::index_t i = 0; i < v.size(); ++i) {
    norma::index_t offset = 0;
    for (int a = 0; a < v.rank(); ++a) offset += index[static_cast<std::size_t>(a)] * v.stride(a);
    result.push_back(v.data()[offset]);
    for (int a = v.rank(); a-- > 0;) {
      if (++index[static_cast<std::size_t>(a)] < v.extent(a)) break;
      index[static_cast<std::size_t>(a)] = 0;
    }
  }
  return result;
}

TEST(TensorView, DefaultIsAbsent) {
  const TensorView<float> v;
  EXPECT_EQ(v.data(), nullptr);
  EXPECT_EQ(v.rank(), 0);
}

TEST(TensorView, RowMajorStrides) {
  auto m = counting(24);
  const TensorView<float> v(m.data(), {2, 3, 4});
  EXPECT_EQ(v.data(), m.data());
  EXPECT_EQ(v.rank(), 3);
  EXPECT_EQ(v.size(), 24);
  EXPECT_EQ(v.extents(), (Extents{2, 3, 4}));
  EXPECT_EQ(v.strides(), (Extents{12, 4, 1}));
  EXPECT_TRUE(v.is_contiguous());
  EXPECT_EQ(v(1, 2, 3), 23.0f);
  v(1, 0, 0) = 99;
  EXPECT_EQ(m[12], 99.0f);
}

TEST(TensorView, NegativeAxesCountFromTheBack) {
  auto m = counting(24);
  const TensorView<float> v(m.data(), {2, 3, 4});
  for (int a = 0; a < 3; ++a) {
    EXPECT_EQ(v.extent(a), v.extent(a - 3));
    EXPECT_EQ(v.stride(a), v.stride(a - 3));
  }
}

TEST(TensorView, BracedListsMixIntegerTypes) {
  auto m = counting(24);
  const std::size_t n = 2;
  const std::int32_t c = 3;
  const unsigned char w = 4;
  const TensorView<float> v(m.data(), {n, c, w});
  EXPECT_EQ(v.extents(), (Extents{2, 3, 4}));
  const TensorView<float> strided(m.data(), {n, c}, {static_cast<short>(12), std::uint64_t(4)});
  EXPECT_EQ(strided.strides(), (Extents{12, 4}));
}

TEST(TensorView, ExtentsFromRanges) {
  auto m = counting(24);
  const std::vector<int> extents = {4, 6};
  const std::array<long, 2> strides = {6, 1};
  EXPECT_EQ(TensorView<float>(m.data(), extents).size(), 24);
  EXPECT_EQ(TensorView<float>(m.data(), extents, strides).stride(0), 6);
  const std::span<const int> span(extents);
  EXPECT_EQ(TensorView<float>(m.data(), span).rank(), 2);
}

TEST(TensorView, RankZeroHasOneElement) {
  float value = 5;
  const norma::TensorView<float> v(&value, {});
  EXPECT_EQ(v.rank(), 0);
  EXPECT_EQ(v.size(), 1);
  EXPECT_EQ(v(), 5.0f);
  EXPECT_TRUE(v.is_contiguous());
}

TEST(TensorView, RankEightAndNoMore) {
  auto m = counting(256);
  const TensorView<float> v(m.data(), {2, 2, 2, 2, 2, 2, 2, 2});
  EXPECT_EQ(v.rank(), 8);
  EXPECT_EQ(v(1, 1, 1, 1, 1, 1, 1, 1), 255.0f);
  EXPECT_EQ(elements(v), m);
  expect_words(message_of([&] { TensorView<float>(m.data(), {1, 1, 1, 1, 1, 1, 1, 1, 1}); }), {"8"});
  EXPECT_THROW(v.split_axis(0, 2), ShapeError);
  EXPECT_THROW(v.broadcast({2, 2, 2, 2, 2, 2, 2, 2, 2}), ShapeError);
}

TEST(TensorView, ConvertsToConst) {
  auto m = counting(6);
  const TensorView<float> v(m.data(), {2, 3}, {1, 2});
  const TensorView<const float> c = v;
  EXPECT_EQ(c.data(), v.data());
  EXPECT_EQ(c.extents(), v.extents());
  EXPECT_EQ(c.strides(), v.strides());
}

TEST(TensorView, EmptyTensors) {
  float nothing = 0;
  for (float* pointer : {static_cast<float*>(nullptr), &nothing}) {
    const TensorView<float> v(pointer, {3, 0, 2});
    EXPECT_EQ(v.size(), 0);
    EXPECT_EQ(v.rank(), 3);
    EXPECT_EQ(v.permute({2, 1, 0}).extents(), (Extents{2, 0, 3}));
    EXPECT_EQ(v.slice(0, 1, 2).extents(), (Extents{2, 0, 2}));
    EXPECT_EQ(v.slice(1, 0, 0).size(), 0);
    EXPECT_EQ(v.flip(1).size(), 0);
    EXPECT_EQ(v.split_axis(1, 4).extents(), (Extents{3, 4, 0, 2}));
  }
}

TEST(TensorView, WrongConstruction) {
  float x = 0;
  expect_words(message_of([&] { TensorView<float>(&x, {2, 3}, {1}); }), {"2 extents", "1 strides"});
  expect_words(message_of([&] { TensorView<float>(&x, {2, -3}); }), {"-3", "axis 1"});
  expect_words(message_of([&] { TensorView<float>(&x, {-1, 3}, {3, 1}); }), {"-1", "axis 0"});
}

TEST(TensorView, Contiguity) {
  auto m = counting(64);
  EXPECT_TRUE(TensorView<float>(m.data(), {2, 3}, {3, 1}).is_contiguous());
  EXPECT_TRUE(TensorView<float>(m.data(), {2, 1, 3}, {3, 77, 1}).is_contiguous()) << "strides of extent 1 do not matter";
  EXPECT_FALSE(TensorView<float>(m.data(), {2, 3}, {4, 1}).is_contiguous());
  EXPECT_FALSE(TensorView<float>(m.data(), {2, 3}, {1, 2}).is_contiguous());
  EXPECT_FALSE(TensorView<float>(m.data(), {2, 3}, {0, 1}).is_contiguous());
}

TEST(TensorView, Permute) {
  auto m = counting(24);
  const TensorView<float> v(m.data(), {2, 3, 4});
  const auto p = v.permute({2, 0, 1});
  EXPECT_EQ(p.extents(), (Extents{4, 2, 3}));
  EXPECT_EQ(p.strides(), (Extents{1, 12, 4}));
  EXPECT_EQ(p(3, 1, 2), v(1, 2, 3));
  EXPECT_EQ(v.permute({-1, -3, -2}).strides(), p.strides());
  EXPECT_EQ(p.permute({1, 2, 0}).strides(), v.strides()) << "the inverse permutation";
  EXPECT_EQ(elements(v.permute({1, 0, 2})),
            (std::vector<float>{0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23}));
  expect_words(message_of([&] { v.permute({0, 1}); }), {"2", "3"});
  expect_words(message_of([&] { v.permute({0, 1, 1}); }), {"axis 1", "repeated"});
  expect_words(message_of([&] { v.permute({0, 2, -1}); }), {"axis 2", "repeated"});
  expect_words(message_of([&] { v.permute({0, 1, 3}); }), {"axis 3", "3"});
  expect_words(message_of([&] { v.permute({0, 1, -4}); }), {"axis -4"});
}

TEST(TensorView, Slice) {
  auto m = counting(24);
  const TensorView<float> v(m.data(), {2, 3, 4});
  EXPECT_EQ(elements(v.slice(1, 1, 2).slice(2, 3, 1)), (std::vector<float>{7, 11, 19, 23}));
  EXPECT_EQ(elements(v.slice(-1, 0, 1)), elements(v.slice(2, 0, 1)));
  EXPECT_EQ(v.slice(0, 0, 2).data(), v.data());
  EXPECT_EQ(v.slice(0, 2, 0).size(), 0) << "nothing, from the end on";
  expect_words(message_of([&] { v.slice(2, 2, 3); }), {"3", "2", "4"});
  expect_words(message_of([&] { v.slice(2, -1, 2); }), {"-1"});
  expect_words(message_of([&] { v.slice(2, 0, -1); }), {"-1"});
  expect_words(message_of([&] { v.slice(0, 3, 0); }), {"3", "2"});
  expect_words(message_of([&] { v.slice(0, 0, 3); }), {"3", "2"});
  expect_words(message_of([&] { v.slice(3, 0, 1); }), {"axis 3"});
  EXPECT_THROW(v.slice(0, PTRDIFF_MAX, 1), ShapeError);
  EXPECT_THROW(v.slice(0, 1, PTRDIFF_MAX), ShapeError);
}

TEST(TensorView, SplitAxis) {
  auto m = counting(24);
  const TensorView<float> v(m.data(), {2, 12});
  const auto s = v.split_axis(1, 3);
  EXPECT_EQ(s.extents(), (Extents{2, 3, 4}));
  EXPECT_EQ(s.strides(), (Extents{12, 4, 1}));
  EXPECT_EQ(elements(s), m);
  EXPECT_EQ(v.split_axis(-1, 1).extents(), (Extents{2, 1, 12}));
  EXPECT_EQ(v.split_axis(0, 2).extents(), (Extents{2, 1, 12}));
  const TensorView<float> strided(m.data(), {12}, {2});
  EXPECT_EQ(elements(strided.split_axis(0, 4)), elements(strided));
  EXPECT_EQ(elements(strided.flip(0).split_axis(0, 4)), elements(strided.flip(0)));
  expect_words(message_of([&] { v.split_axis(1, 5); }), {"12", "5"});
  expect_words(message_of([&] { v.split_axis(1, 0); }), {"0"});
  expect_words(message_of([&] { v.split_axis(1, -2); }), {"-2"});
  expect_words(message_of([&] { v.split_axis(2, 1); }), {"axis 2"});
}

TEST(TensorView, Flip) {
  auto m = counting(6);
  const TensorView<float> v(m.data(), {2, 3});
  EXPECT_EQ(elements(v.flip(1)), (std::vector<float>{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(elements(v.flip(0)), (std::vector<float>{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(v.flip(-1).stride(1), -1);
  EXPECT_EQ(elements(v.flip(0).flip(0)), m);
  EXPECT_EQ(elements(v.flip(0).flip(1).slice(1, 1, 2)), (std::vector<float>{4, 3, 1, 0}));
  expect_words(message_of([&] { v.flip(2); }), {"axis 2"});
}

TEST(TensorView, Broadcast) {
  auto m = counting(6);
  const TensorView<float> column(m.data(), {2, 1});
  const auto wide = column.broadcast({2, 3});
  EXPECT_EQ(wide.strides(), (Extents{1, 0}));
  EXPECT_EQ(elements(wide), (std::vector<float>{0, 0, 0, 1, 1, 1}));
  const TensorView<float> row(m.data(), {3});
  EXPECT_EQ(elements(row.broadcast({2, 3})), (std::vector<float>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(row.broadcast({0, 3}).size(), 0);
  EXPECT_EQ(row.broadcast({3}).strides(), row.strides());
  float one = 7;
  EXPECT_EQ(elements(TensorView<float>(&one, {}).broadcast({2, 2})), std::vector<float>(4, 7));
  EXPECT_EQ(column.broadcast({2, 1}).extents(), (Extents{2, 1})) << "1 against 1 stays";
  expect_words(message_of([&] { row.broadcast({2, 4}); }), {"(3)", "(2, 4)"});
  expect_words(message_of([&] { row.broadcast({3, 1}); }), {"(3)", "(3, 1)"});
  expect_words(message_of([&] { column.broadcast({2}); }), {"(2, 1)", "(2)"});
}

TEST(TensorView, ChannelsLast) {
  auto m = counting(2 * 3 * 4 * 5);
  const auto v = norma::channels_last(m.data(), {2, 3, 4, 5});
  EXPECT_EQ(v.extents(), (Extents{2, 3, 4, 5}));
  EXPECT_EQ(v.strides(), (Extents{60, 1, 15, 3}));
  EXPECT_EQ(v(1, 2, 3, 4), m[static_cast<std::size_t>(((1 * 4 + 3) * 5 + 4) * 3 + 2)]);
  EXPECT_TRUE(v.permute({0, 2, 3, 1}).is_contiguous());
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3}).strides(), (Extents{3, 1}));
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3, 20}).strides(), (Extents{60, 1, 3}));
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3, 2, 2, 5}).strides(), (Extents{60, 1, 30, 15, 3}));
  EXPECT_THROW(norma::channels_last(m.data(), {3}), ShapeError);
  EXPECT_THROW(norma::channels_last(m.data(), {}), ShapeError);
}

TEST(TensorView, IsUsableAtCompileTime) {
  static constexpr float data[6] = {0, 1, 2, 3, 4, 5};
  constexpr TensorView<const float> v(data, {2, 3});
  static_assert(v.permute({1, 0})(2, 1) == 5.0f);
  static_assert(v.slice(1, 1, 2).flip(1)(0, 0) == 2.0f);
  static_assert(v.split_axis(1, 3).rank() == 3);
  SUCCEED();
}

}  // namespace
