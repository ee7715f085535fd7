// TensorView: every function, every error, ranks 0 to 8, negative axes, conversions.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#include <norma/core/tensor_view.hpp>

#include "support/errors.hpp"
#include "support/tensor.hpp"

namespace {

using norma::Extents;
using norma::ShapeError;
using norma::TensorView;
using norma_test::expect_shape_error;
using norma_test::Values;

// A contract of layout and cost, checked by the compiler.
static_assert(std::is_trivially_copyable_v<TensorView<float>>);
static_assert(std::is_trivially_destructible_v<TensorView<const double>>);
static_assert(std::is_same_v<norma::index_t, std::ptrdiff_t>);
static_assert(std::is_convertible_v<TensorView<float>, TensorView<const float>>);
static_assert(!std::is_convertible_v<TensorView<const float>, TensorView<float>>);
static_assert(!std::is_convertible_v<TensorView<float>, TensorView<double>>);
static_assert(!std::is_convertible_v<TensorView<float>, TensorView<const double>>);
static_assert(std::is_base_of_v<std::invalid_argument, ShapeError>);

// And it is usable at compile time.
constexpr float six[6] = {0, 1, 2, 3, 4, 5};
constexpr TensorView<const float> constant(six, {2, 3});
static_assert(constant.permute({1, 0})(2, 1) == 5.0f);
static_assert(constant.slice(1, 1, 2).flip(1)(0, 0) == 2.0f);
static_assert(constant.split_axis(1, 3).rank() == 3);

/// All elements in logical row-major order.
Values elements(const norma_test::AnyView& v) { return v.values(); }

class TensorViewTest : public testing::Test {
 protected:
  TensorViewTest() { std::iota(m.begin(), m.end(), 0.0f); }
  TensorView<float> view(const Extents& extents) { return {m.data(), extents}; }
  TensorView<float> view(const Extents& extents, const Extents& strides) { return {m.data(), extents, strides}; }

  std::vector<float> m = std::vector<float>(256);
  const TensorView<float> v{m.data(), {2, 3, 4}};
};

TEST_F(TensorViewTest, DefaultIsAbsent) {
  const TensorView<float> none;
  EXPECT_EQ(none.data(), nullptr);
  EXPECT_EQ(none.rank(), 0);
}

TEST_F(TensorViewTest, SizesAndStridesThatNoIndexHolds) {
  const norma::index_t most = norma::largest_index, large = norma::index_t{1} << 40;
  for (const Extents& extents : {Extents{large, large}, Extents{large, large, 0}, Extents{most}, Extents{most, 2, 2}}) {
    expect_shape_error("TensorView", {"not representable"}, [&] { view(extents); });
    expect_shape_error("TensorView", {"not representable"},
                       [&] { view(extents, Extents(std::vector<int>(static_cast<std::size_t>(extents.size()), 0))); });
  }
  for (const norma::index_t stride : {most, -most - 1, most / 2, -most / 4}) {
    expect_shape_error("TensorView", {"beyond what is representable"}, [&] { view({2, 3}, {1, stride}); });
    EXPECT_EQ(view({2, 1}, {1, stride}).size(), 2) << "never stepped";
    EXPECT_EQ(view({0, 3}, {1, stride}).size(), 0) << "never stepped";
  }
  expect_shape_error("TensorView", {"beyond what is representable"}, [&] { view({2, 2, 2}, {most / 8, most / 8, most / 8}); });
  const norma::index_t elements = most / static_cast<norma::index_t>(sizeof(float));
  EXPECT_EQ(view({2}, {-elements}).size(), 2);
  expect_shape_error("TensorView", {"beyond what is representable"}, [&] { view({2}, {-elements - 1}); });
  EXPECT_EQ(view({large, 1 << 20}, {0, 0}).size(), norma::index_t{1} << 60);
}

TEST_F(TensorViewTest, RowMajorStrides) {
  EXPECT_EQ(v.data(), m.data());
  EXPECT_EQ(v.rank(), 3);
  EXPECT_EQ(v.size(), 24);
  EXPECT_EQ(v.extents(), (Extents{2, 3, 4}));
  EXPECT_EQ(v.strides(), (Extents{12, 4, 1}));
  EXPECT_TRUE(v.is_contiguous());
  for (int a = 0; a < 3; ++a) {
    EXPECT_EQ(v.extent(a), v.extent(a - 3));
    EXPECT_EQ(v.stride(a), v.stride(a - 3));
  }
  EXPECT_EQ(v(1, 2, 3), 23.0f);
  v(1, 0, 0) = 99;
  EXPECT_EQ(m[12], 99.0f);
}

TEST_F(TensorViewTest, ExtentsOfAnyIntegersAndFromRanges) {
  const std::size_t n = 2;
  const std::int32_t c = 3;
  const unsigned char w = 4;
  EXPECT_EQ(TensorView<float>(m.data(), {n, c, w}).extents(), v.extents());
  EXPECT_EQ(TensorView<float>(m.data(), {n, c}, {static_cast<short>(12), std::uint64_t(4)}).strides(), (Extents{12, 4}));
  const std::vector<int> extents = {4, 6};
  const std::array<long, 2> strides = {6, 1};
  EXPECT_EQ(TensorView<float>(m.data(), extents).size(), 24);
  EXPECT_EQ(TensorView<float>(m.data(), extents, strides).stride(0), 6);
  EXPECT_EQ(TensorView<float>(m.data(), std::span<const int>(extents)).rank(), 2);
}

TEST_F(TensorViewTest, RankZeroHasOneElement) {
  const TensorView<float> scalar(m.data() + 5, {});
  EXPECT_EQ(scalar.rank(), 0);
  EXPECT_EQ(scalar.size(), 1);
  EXPECT_EQ(scalar(), 5.0f);
  EXPECT_TRUE(scalar.is_contiguous());
}

TEST_F(TensorViewTest, RankEightAndNoMore) {
  const TensorView<float> eight(m.data(), {2, 2, 2, 2, 2, 2, 2, 2});
  EXPECT_EQ(eight.rank(), 8);
  EXPECT_EQ(eight(1, 1, 1, 1, 1, 1, 1, 1), 255.0f);
  EXPECT_EQ(elements(eight), Values(m.begin(), m.end()));
  expect_shape_error("TensorView", {"8"}, [&] { TensorView<float>(m.data(), {1, 1, 1, 1, 1, 1, 1, 1, 1}); });
  EXPECT_THROW(eight.split_axis(0, 2), ShapeError);
  EXPECT_THROW(eight.broadcast({2, 2, 2, 2, 2, 2, 2, 2, 2}), ShapeError);
}

TEST_F(TensorViewTest, ConvertsToConst) {
  const TensorView<float> strided = view({2, 3}, {1, 2});
  const TensorView<const float> c = strided;
  EXPECT_EQ(c.data(), strided.data());
  EXPECT_EQ(c.extents(), strided.extents());
  EXPECT_EQ(c.strides(), strided.strides());
}

TEST_F(TensorViewTest, EmptyTensors) {
  for (float* pointer : {static_cast<float*>(nullptr), m.data()}) {
    const TensorView<float> empty(pointer, {3, 0, 2});
    EXPECT_EQ(empty.size(), 0);
    EXPECT_EQ(empty.rank(), 3);
    EXPECT_EQ(empty.permute({2, 1, 0}).extents(), (Extents{2, 0, 3}));
    EXPECT_EQ(empty.slice(0, 1, 2).extents(), (Extents{2, 0, 2}));
    EXPECT_EQ(empty.slice(1, 0, 0).size(), 0);
    EXPECT_EQ(empty.flip(1).size(), 0);
    EXPECT_EQ(empty.split_axis(1, 4).extents(), (Extents{3, 4, 0, 2}));
  }
}

TEST_F(TensorViewTest, WrongConstruction) {
  expect_shape_error("TensorView", {"2 extents", "1 strides"}, [&] { view({2, 3}, {1}); });
  expect_shape_error("TensorView", {"-3", "axis 1"}, [&] { view({2, -3}); });
  expect_shape_error("TensorView", {"-1", "axis 0"}, [&] { view({-1, 3}, {3, 1}); });
}

TEST_F(TensorViewTest, OfAContainerWhoseElementsAreThere) {
  const std::vector<float>& read_only = m;
  std::array<float, 6> array = {};
  EXPECT_EQ(TensorView<float>(m, {4, 8}).data(), m.data());
  EXPECT_EQ(TensorView<float>(m, {4, 8}).strides(), (Extents{8, 1}));
  EXPECT_EQ(TensorView<const float>(m, {256}).size(), 256) << "mutable elements seen as const ones";
  EXPECT_EQ(TensorView<const float>(read_only, {16, 16}).data(), m.data());
  EXPECT_EQ(TensorView<float>(array, {2, 3}).data(), array.data());
  EXPECT_EQ(TensorView<float>(std::span(m).subspan(10), {2, 3}).data(), m.data() + 10);
  EXPECT_EQ(TensorView<float>(m, {15, 8}, {17, 1}).stride(0), 17) << "the last row ends before the container";
  EXPECT_EQ(TensorView<float>(m, {1000, 2}, {0, 1}).size(), 2000);
  EXPECT_EQ(TensorView<float>(m, {0, 1000}).size(), 0);
  EXPECT_EQ(TensorView<float>(m, {}).rank(), 0);
  EXPECT_EQ(norma::channels_last(m, {2, 3, 4, 5}).strides(), (Extents{60, 1, 15, 3}));
  static_assert(std::is_same_v<decltype(TensorView(m, {4, 8})), TensorView<float>>);
  static_assert(std::is_same_v<decltype(TensorView(read_only, {4, 8}, {8, 1})), TensorView<const float>>);
  static_assert(!std::is_constructible_v<TensorView<float>, const std::vector<float>&, Extents>, "const elements are not written");
  static_assert(!std::is_constructible_v<TensorView<float>, std::vector<double>&, Extents>);
  static_assert(!std::is_constructible_v<TensorView<float>, std::vector<std::array<float, 2>>&, Extents>);
}

TEST_F(TensorViewTest, OfAContainerThatIsTooSmall) {
  std::vector<float> thirty(30), none;
  const auto refuses = [](const char* sentence, auto&&... arguments) {
    expect_shape_error("TensorView", {sentence}, [&] { TensorView<float>(arguments...); });
  };
  refuses("(4, 8) with strides (8, 1) wants 32 elements, the container has 30", thirty, Extents{4, 8});
  refuses("(3, 8) with strides (12, 1) wants 32 elements, the container has 30", thirty, Extents{3, 8}, Extents{12, 1});
  refuses("strides (-2) of (4) reach 6 elements before the container", thirty, Extents{4}, Extents{-2});
  refuses("() with strides () wants 1 elements, the container has 0", none, Extents{});
  EXPECT_NO_THROW(TensorView<float>(thirty, Extents{3, 10}));
  expect_shape_error("TensorView", {"(2, 4, 4)", "30"}, [&] { norma::channels_last(thirty, {2, 4, 4}); });
  expect_shape_error("TensorView", {"negative"}, [&] { TensorView<float>(thirty, {-1, 3}); });
}

TEST_F(TensorViewTest, Contiguity) {
  EXPECT_TRUE(view({2, 3}, {3, 1}).is_contiguous());
  EXPECT_TRUE(view({2, 1, 3}, {3, 77, 1}).is_contiguous()) << "strides of extent 1 do not matter";
  for (const Extents& strides : {Extents{4, 1}, Extents{1, 2}, Extents{0, 1}}) EXPECT_FALSE(view({2, 3}, strides).is_contiguous());
}

TEST_F(TensorViewTest, Permute) {
  const auto p = v.permute({2, 0, 1});
  EXPECT_EQ(p.extents(), (Extents{4, 2, 3}));
  EXPECT_EQ(p.strides(), (Extents{1, 12, 4}));
  EXPECT_EQ(p(3, 1, 2), v(1, 2, 3));
  EXPECT_EQ(v.permute({-1, -3, -2}).strides(), p.strides());
  EXPECT_EQ(p.permute({1, 2, 0}).strides(), v.strides()) << "the inverse permutation";
  EXPECT_EQ(elements(v.permute({1, 0, 2})), (Values{0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10, 11, 20, 21, 22, 23}));
  const auto expect_error = [&](const Extents& axes, const std::vector<std::string>& words) {
    expect_shape_error("TensorView::permute", words, [&] { v.permute(axes); });
  };
  expect_error({0, 1}, {"2", "3"});
  expect_error({0, 1, 1}, {"axis 1", "repeated"});
  expect_error({0, 2, -1}, {"axis 2", "repeated"});
  expect_error({0, 1, 3}, {"axis 3", "3"});
  expect_error({0, 1, -4}, {"axis -4"});
}

TEST_F(TensorViewTest, Slice) {
  EXPECT_EQ(elements(v.slice(1, 1, 2).slice(2, 3, 1)), (Values{7, 11, 19, 23}));
  EXPECT_EQ(elements(v.slice(-1, 0, 1)), elements(v.slice(2, 0, 1)));
  EXPECT_EQ(v.slice(0, 0, 2).data(), v.data());
  EXPECT_EQ(v.slice(0, 2, 0).size(), 0) << "nothing, from the end on";
  const auto expect_error = [&](int axis, norma::index_t first, norma::index_t count, const std::vector<std::string>& words) {
    expect_shape_error("TensorView::slice", words, [&] { v.slice(axis, first, count); });
  };
  expect_error(2, 2, 3, {"3", "2", "4"});
  expect_error(2, -1, 2, {"-1"});
  expect_error(2, 0, -1, {"-1"});
  expect_error(0, 3, 0, {"3", "2"});
  expect_error(0, 0, 3, {"3", "2"});
  expect_error(3, 0, 1, {"axis 3"});
  expect_error(0, PTRDIFF_MAX, 1, {});
  expect_error(0, 1, PTRDIFF_MAX, {});
}

TEST_F(TensorViewTest, SplitAxis) {
  const TensorView<float> matrix = view({2, 12}), strided = view({12}, {2});
  const auto s = matrix.split_axis(1, 3);
  EXPECT_EQ(s.extents(), v.extents());
  EXPECT_EQ(s.strides(), v.strides());
  EXPECT_EQ(elements(s), elements(v));
  EXPECT_EQ(matrix.split_axis(-1, 1).extents(), (Extents{2, 1, 12}));
  EXPECT_EQ(matrix.split_axis(0, 2).extents(), (Extents{2, 1, 12}));
  EXPECT_EQ(elements(strided.split_axis(0, 4)), elements(strided));
  EXPECT_EQ(elements(strided.flip(0).split_axis(0, 4)), elements(strided.flip(0)));
  const auto expect_error = [&](int axis, norma::index_t outer, const std::vector<std::string>& words) {
    expect_shape_error("TensorView::split_axis", words, [&] { matrix.split_axis(axis, outer); });
  };
  expect_error(1, 5, {"12", "5"});
  expect_error(1, 0, {"0"});
  expect_error(1, -2, {"-2"});
  expect_error(2, 1, {"axis 2"});
}

TEST_F(TensorViewTest, Flip) {
  const TensorView<float> matrix = view({2, 3});
  EXPECT_EQ(elements(matrix.flip(1)), (Values{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(elements(matrix.flip(0)), (Values{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(matrix.flip(-1).stride(1), -1);
  EXPECT_EQ(elements(matrix.flip(0).flip(0)), elements(matrix));
  EXPECT_EQ(elements(matrix.flip(0).flip(1).slice(1, 1, 2)), (Values{4, 3, 1, 0}));
  expect_shape_error("TensorView::flip", {"axis 2"}, [&] { matrix.flip(2); });
}

TEST_F(TensorViewTest, Broadcast) {
  const TensorView<float> column = view({2, 1}), row = view({3}), seven(m.data() + 7, {});
  EXPECT_EQ(column.broadcast({2, 3}).strides(), (Extents{1, 0}));
  EXPECT_EQ(elements(column.broadcast({2, 3})), (Values{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(elements(row.broadcast({2, 3})), (Values{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(row.broadcast({0, 3}).size(), 0);
  EXPECT_EQ(row.broadcast({3}).strides(), row.strides());
  EXPECT_EQ(elements(seven.broadcast({2, 2})), Values(4, 7));
  EXPECT_EQ(column.broadcast({2, 1}).extents(), (Extents{2, 1})) << "1 against 1 stays";
  expect_shape_error("TensorView::broadcast", {"(3)", "(2, 4)"}, [&] { row.broadcast({2, 4}); });
  expect_shape_error("TensorView::broadcast", {"(3)", "(3, 1)"}, [&] { row.broadcast({3, 1}); });
  expect_shape_error("TensorView::broadcast", {"(2, 1)", "(2)"}, [&] { column.broadcast({2}); });
}

TEST_F(TensorViewTest, ChannelsLast) {
  const auto nhwc = norma::channels_last(m.data(), {2, 3, 4, 5});
  EXPECT_EQ(nhwc.extents(), (Extents{2, 3, 4, 5}));
  EXPECT_EQ(nhwc.strides(), (Extents{60, 1, 15, 3}));
  EXPECT_EQ(nhwc(1, 2, 3, 4), m[static_cast<std::size_t>(((1 * 4 + 3) * 5 + 4) * 3 + 2)]);
  EXPECT_TRUE(nhwc.permute({0, 2, 3, 1}).is_contiguous());
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3}).strides(), (Extents{3, 1}));
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3, 20}).strides(), (Extents{60, 1, 3}));
  EXPECT_EQ(norma::channels_last(m.data(), {2, 3, 2, 2, 5}).strides(), (Extents{60, 1, 30, 15, 3}));
  EXPECT_THROW(norma::channels_last(m.data(), {3}), ShapeError);
  EXPECT_THROW(norma::channels_last(m.data(), {}), ShapeError);
}

}  // namespace
