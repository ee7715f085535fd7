// Sweep: how tensors lie decides the way, and tiles visit each element of each cell once, whatever the way.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include <norma/engine/sweep.hpp>

namespace norma_test { namespace {

using norma::Extents;
using norma::index_t;
using norma::Way;

/// x and y of (sets, elements), x with these strides.
template <class T>
struct Case {
  Extents extents, x_strides, y_strides;
  std::vector<T> x = std::vector<T>(20000), y = x;
  norma::Operands operands = make();
  norma::Layout layout{extents, norma::Roles(0b10u), operands};

  norma::Operands make() {
    norma::Operands result;
    result[norma::stream_x] = norma::Operand(norma::TensorView<T>(x.data(), extents, x_strides));
    result[norma::stream_y] = norma::Operand(norma::TensorView<T>(y.data(), extents, y_strides));
    return result;
  }
  norma::Sweep<T, 2, 1> sweep() const { return {layout, operands, {norma::stream_x, norma::stream_y}}; }
};

template <class T>
class Ways : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Ways, Elements);

TYPED_TEST(Ways, FollowFromStrides) {
  using C = Case<TypeParam>;
  EXPECT_EQ((C{{9, 40}, {40, 1}, {40, 1}}.sweep().way()), Way::rows);
  EXPECT_EQ((C{{9, 40}, {50, 1}, {40, 1}}.sweep().way()), Way::rows) << "rows apart";
  EXPECT_EQ((C{{40, 9}, {1, 40}, {1, 40}}.sweep().way()), Way::lanes);
  EXPECT_EQ((C{{40, 9}, {1, 50}, {1, 40}}.sweep().way()), Way::lanes);
  EXPECT_EQ((C{{40, 9}, {1, 40}, {9, 1}}.sweep().way()), Way::staged) << "one way in, another out";
  EXPECT_EQ((C{{9, 40}, {80, 2}, {40, 1}}.sweep().way()), Way::staged) << "gaps";
  EXPECT_EQ((C{{9, 40}, {40, -1}, {40, 1}}.sweep().way()), Way::staged) << "backwards";
}

/// y = x + 1 with each element of y written once.
template <class T>
void check_all(Case<T> c) {
  const auto at = [&](const Extents& strides, index_t s, index_t i) {
    return static_cast<std::size_t>(s * strides[0] + i * strides[1] + (strides[1] < 0 ? 1000 : 0));
  };
  const index_t sets = c.extents[0], size = c.extents[1];
  for (index_t s = 0; s < sets; ++s) {
    for (index_t i = 0; i < size; ++i) c.x[at(c.x_strides, s, i)] = static_cast<T>(100 * s + i);
  }
  c.operands = c.make();
  if (c.x_strides[1] < 0) c.operands[norma::stream_x].data = c.x.data() + 1000;
  const auto sweep = c.sweep();
  std::map<index_t, int> written;
  sweep.each_tile(0, sets, [&](index_t first, index_t count) {
    EXPECT_LE(count, sweep.most());
    typename norma::Sweep<T, 2, 1>::Tile tile;
    sweep.start(first, count, tile);
    const index_t step = sweep.step(count, size, false);
    for (index_t i = 0; i < size; i += step) {
      const index_t n = size - i < step ? size - i : step;
      sweep.each_cells(tile, 0, count, i, n, T(1), true, [&](const auto& cells, auto& tensor, index_t begin) {
        cells.each_group([&](auto group, index_t cell) {
          using Group = decltype(group);
          const auto x = tensor[0].of(group, cell);
          const auto y = tensor[1].of(group, cell);
          index_t here = Group::sets;
          if constexpr (Group::across_lanes) here = group.positions;
          for (index_t k = 0; k < here; ++k) {
            for (index_t e = 0; e < n; ++e) {
              const auto element = [&](const auto& t) {
                if constexpr (Group::across_lanes) {
                  return t.first + e * t.stride + k;
                } else {
                  return t.row[k] + e;
                }
              };
              *element(y) = *element(x) + T(1);
              ++written[(first + begin + cell + k) * size + i + e];
            }
          }
        });
      });
    }
  });
  EXPECT_EQ(written.size(), static_cast<std::size_t>(sets * size));
  for (index_t s = 0; s < sets; ++s) {
    for (index_t i = 0; i < size; ++i) {
      ASSERT_EQ(c.y[at(c.y_strides, s, i)], static_cast<T>(100 * s + i + 1)) << s << ", " << i;
      ASSERT_EQ(written[s * size + i], 1);
    }
  }
}

TYPED_TEST(Ways, EachElementOnce) {
  using C = Case<TypeParam>;
  for (const index_t sets : {1, 2, 16, 17, 40, 150}) {
    for (const index_t size : {2, 7, 33, 70}) {
      check_all<TypeParam>(C{{sets, size}, {size, 1}, {size + 3, 1}});
      check_all<TypeParam>(C{{sets, size}, {1, sets}, {1, sets + 1}});
      check_all<TypeParam>(C{{sets, size}, {1, sets}, {size, 1}});
      check_all<TypeParam>(C{{sets, size}, {size, 1}, {1, sets}});
    }
  }
  check_all<TypeParam>(C{{1, 700}, {700, -1}, {700, 1}});  // staged, several blocks
}

}}  // namespace norma_test
