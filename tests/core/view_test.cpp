// norma::view: what counts as a tensor, and how a user's own tensor becomes one.
#include <gtest/gtest.h>

#include <array>
#include <memory_resource>
#include <span>
#include <type_traits>
#include <vector>

#include <norma/core/view.hpp>

#include "support/errors.hpp"

/// A user's own tensor.
struct Image {
  std::vector<float> pixels;
  int height = 0, width = 0;
};

template <>
struct norma::ViewOf<Image> {
  static norma::TensorView<float> view(Image& image) { return {image.pixels.data(), {image.height, image.width}}; }
  static norma::TensorView<const float> view(const Image& image) { return {image.pixels.data(), {image.height, image.width}}; }
};

namespace {

using norma::Extents;
using norma::TensorView;

template <class T>
using ViewType = decltype(norma::view(std::declval<T>()));

static_assert(std::is_same_v<ViewType<std::vector<float>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const std::vector<float>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<std::vector<double>&>, TensorView<double>>);
static_assert(std::is_same_v<ViewType<std::array<float, 3>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const std::array<float, 3>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<std::span<float>>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<std::span<const float>>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<const std::span<float>&>, TensorView<float>>,
              "a span is a pointer: its own const-ness is not its elements'");
static_assert(std::is_same_v<ViewType<std::span<float, 4>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<TensorView<float>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const TensorView<float>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<TensorView<const double>>, TensorView<const double>>);
static_assert(std::is_same_v<ViewType<Image&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const Image&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<float (&)[2][3]>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const double (&)[2][3]>, TensorView<const double>>);
static_assert(std::is_same_v<ViewType<std::array<std::array<float, 3>, 2>&>, TensorView<float>>);
static_assert(std::is_same_v<ViewType<const std::array<std::array<float, 3>, 2>&>, TensorView<const float>>);
static_assert(std::is_same_v<ViewType<const std::vector<std::array<float, 3>>&>, TensorView<const float>>);
static_assert(norma::owns_elements<float[2]> && norma::owns_elements<std::array<std::array<float, 3>, 2>>);
static_assert(norma::Viewable<std::vector<float>&> && norma::Viewable<Image&> && norma::Viewable<TensorView<float>>);
static_assert(!norma::Viewable<int> && !norma::Viewable<float*> && !norma::Viewable<std::string>);

TEST(View, ContainersHaveRankOne) {
  std::vector<float> v = {1, 2, 3};
  std::array<double, 2> a = {1, 2};
  EXPECT_EQ(norma::view(v).data(), v.data());
  EXPECT_EQ(norma::view(v).extents(), Extents{3});
  EXPECT_EQ(norma::view(v).strides(), Extents{1});
  norma::output_view(v)(2) = 5;
  EXPECT_EQ(v[2], 5.0f);
  EXPECT_EQ(norma::view(a).data(), a.data());
  EXPECT_EQ(norma::view(a).extents(), Extents{2});
  EXPECT_EQ(norma::view(std::span<float>(v).subspan(1)).data(), v.data() + 1);
  std::pmr::vector<float> other_allocator = {4, 5};
  EXPECT_EQ(norma::view(other_allocator).size(), 2);
}

TEST(View, NestedArraysHaveAnAxisForEachDepth) {
  float c[2][3][4] = {};
  std::array<std::array<float, 3>, 2> nested = {};
  std::array<float[3], 2> mixed = {};
  std::array<double, 3> rows[4] = {};
  std::vector<std::array<std::array<float, 4>, 3>> points(5);
  const auto of_c = norma::view(c);
  EXPECT_EQ(of_c.extents(), (Extents{2, 3, 4}));
  EXPECT_EQ(of_c.strides(), (Extents{12, 4, 1}));
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) EXPECT_EQ(&of_c(i, j, k), &c[i][j][k]);
    }
  }
  EXPECT_EQ(norma::view(nested).extents(), (Extents{2, 3}));
  EXPECT_EQ(&norma::view(nested)(1, 2), &nested[1][2]);
  EXPECT_EQ(&norma::view(mixed)(1, 2), &mixed[1][2]);
  EXPECT_EQ(norma::view(rows).extents(), (Extents{4, 3}));
  EXPECT_EQ(&norma::view(rows)(3, 1), &rows[3][1]);
  EXPECT_EQ(norma::view(points).extents(), (Extents{5, 3, 4}));
  EXPECT_EQ(&norma::view(points)(4, 2, 3), &points[4][2][3]);
  EXPECT_EQ(norma::view(std::span(points).subspan(1)).data(), points[1][0].data());
  static constexpr float constant[2][2] = {{1, 2}, {3, 4}};
  static_assert(norma::view(constant).extents() == Extents{2, 2} && norma::view(constant)(0, 1) == 2);
}

TEST(View, NestedArraysOfNothing) {
  std::vector<std::array<float, 3>> none;
  std::array<std::array<float, 0>, 2> empty = {};
  EXPECT_EQ(norma::view(none).extents(), (Extents{0, 3}));
  EXPECT_EQ(norma::view(empty).extents(), (Extents{2, 0}));
  float eight[1][1][1][1][1][1][1][2] = {};
  EXPECT_EQ(norma::view(eight).rank(), 8);
  float nine[1][1][1][1][1][1][1][1][2] = {};
  norma_test::expect_shape_error("TensorView", {"more than 8 axes"}, [&] { norma::view(nine); });
}

TEST(View, OfAViewIsThatView) {
  std::vector<float> v(6);
  const TensorView<float> t(v.data(), {2, 3}, {1, 2});
  EXPECT_EQ(norma::view(t).strides(), t.strides());
  EXPECT_EQ(norma::view(norma::view(t)).data(), v.data());
}

TEST(View, OfAUsersOwnTensor) {
  Image image{std::vector<float>(6, 1), 2, 3};
  norma::view(image)(1, 2) = 7;
  EXPECT_EQ(image.pixels[5], 7.0f);
  const Image& constant = image;
  EXPECT_EQ(norma::view(constant).extents(), (Extents{2, 3}));
}

TEST(OptionalView, AbsentMeansNullPointer) {
  std::vector<float> filled(3), empty;
  const norma::OptionalView<const float> none, of_empty_vector = empty, of_empty_span = std::span<float>(), of_filled = filled;
  const norma::OptionalView<const float> of_default_view = TensorView<float>(), of_view = TensorView<float>(filled.data(), {3});
  for (const auto& absent : {none, of_empty_vector, of_empty_span, of_default_view}) EXPECT_FALSE(absent.has_value());
  EXPECT_TRUE(of_filled.has_value());
  EXPECT_TRUE(of_view.has_value());
  EXPECT_EQ(of_filled->extents(), Extents{3});
  const norma::OptionalView<const float> zero_length = TensorView<float>(filled.data(), {0});
  EXPECT_TRUE(zero_length.has_value()) << "a length of 0 with a pointer is a wrong length, not an absent one";
}

}  // namespace
