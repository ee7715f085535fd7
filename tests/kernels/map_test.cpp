// map: exact on integers for every group, length and place of the result; nothing beside it is touched.
#include "kernels/groups.hpp"

namespace norma_test { namespace {

template <class T>
class MapGroups : public testing::Test {};
TYPED_TEST_SUITE(MapGroups, Elements);

constexpr norma::PerElement both = norma::PerElement::weight_and_bias;

/// Memory far away: inputs are asked for ahead, also where there is none.
template <bool Far>
norma::FarMemory far_of() {
  return Far ? norma::FarMemory{false, {4096, 128}} : norma::FarMemory();
}

/// y at forbidden pages, so that a store beyond it faults; in_place: over x.
template <norma::PerElement Parameters, bool Far, class T, class Group>
void check_forward(const Group& group, index_t n, bool in_place, bool weight_advances) {
  const Sets<T, Group> x(group, n, 10, small_integers<T>), apart(group, n, 20, small_integers<T>);
  const Sets<T, Group>& y = in_place ? x : apart;
  constexpr bool weighted = Parameters != norma::PerElement::nothing, biased = Parameters == norma::PerElement::weight_and_bias;
  const PerElement<T> weight(n, weight_advances, 30), bias(n, biased && !weight_advances, 40);
  const Coefficients<T> c;
  norma::map<Parameters, Far>(group, n, x.tensor(), y.tensor(), c.forward(), weight.plus(T(0.5)), bias.plus(T(0)), far_of<Far>());
  for (index_t s = 0; s < x.count; ++s) {
    for (index_t i = 0; i < n; ++i) {
      const T x_hat = c.x_hat(x.at(s, i), s);
      ASSERT_EQ(y.now(s, i), weighted ? x_hat * (weight.at(i) + T(0.5)) + bias.at(i) : x_hat) << "set " << s << " at " << i << " of " << n;
    }
  }
}

TYPED_TEST(MapGroups, ForwardIsExactOnIntegersInPlaceToo) {
  for_each_group<TypeParam>([](const auto& group) {
    for (index_t n = 0; n <= 2 * norma::lanes<TypeParam> + 5; ++n) {
      for (const bool in_place : {false, true}) {
        check_forward<both, true, TypeParam>(group, n, in_place, true);
        check_forward<both, false, TypeParam>(group, n, in_place, false);
        check_forward<norma::PerElement::weight, false, TypeParam>(group, n, in_place, true);
        check_forward<norma::PerElement::nothing, true, TypeParam>(group, n, in_place, true);
      }
    }
  });
}

/// dx into other memory, over dy, or over x.
template <bool Weighted, bool Far, bool Adds, class T, class Group>
void check_backward(const Group& group, index_t n, int alias) {
  const Sets<T, Group> dy(group, n, 40, small_integers<T>), x(group, n, 50, small_integers<T>), apart(group, n, 60, small_integers<T>);
  const Sets<T, Group>& dx = alias == 0 ? apart : alias == 1 ? dy : x;
  const PerElement<T> weight(n, true, 70);
  const Coefficients<T> c;
  norma::backward_map<Weighted, Far, Adds>(group, n, dy.tensor(), x.tensor(), dx.tensor(), c.forward(), c.backward(), weight.plus(T(0.5)),
                                           far_of<Far>());
  for (index_t s = 0; s < x.count; ++s) {
    for (index_t i = 0; i < n; ++i) {
      const T g = dy.at(s, i) * (Weighted ? weight.at(i) + T(0.5) : T(1)), x_hat = c.x_hat(x.at(s, i), s);
      const T expected = g * c.scale[s] + (x_hat * c.slope[s] + c.offset[s]) + (Adds ? dx.at(s, i) : T(0));
      ASSERT_EQ(dx.now(s, i), expected) << "set " << s << " at " << i << " of " << n;
    }
  }
}

TYPED_TEST(MapGroups, BackwardIsExactOnIntegersInPlaceToo) {
  for_each_group<TypeParam>([](const auto& group) {
    for (index_t n = 0; n <= 2 * norma::lanes<TypeParam> + 5; ++n) {
      for (const int alias : {0, 1, 2}) {
        check_backward<true, false, false, TypeParam>(group, n, alias);
        check_backward<false, true, false, TypeParam>(group, n, alias);
      }
      check_backward<true, false, true, TypeParam>(group, n, 0);
    }
  });
}

TYPED_TEST(MapGroups, StreamingStoresTheSame) {
  const index_t n = 4 * norma::lanes<TypeParam>;
  const Coefficients<TypeParam> c;
  alignas(64) TypeParam x[4 * 32], y[4 * 32], streamed[4 * 32];
  for (index_t i = 0; i < n; ++i) x[i] = static_cast<TypeParam>(i % 7);
  using Group = norma::Rows<TypeParam, 1>;
  const typename Group::template Of<TypeParam> from{{x}}, to{{y}}, past_the_cache{{streamed}};
  norma::map<norma::PerElement::nothing, false>(Group(), n, from, to, c.forward(), {}, {}, {});
  norma::map<norma::PerElement::nothing, true>(Group(), n, from, past_the_cache, c.forward(), {}, {}, {true, {}});
  norma::streaming_fence();
  for (index_t i = 0; i < n; ++i) ASSERT_EQ(streamed[i], y[i]);
}

/// The maps of cells, whose i-th element of the s-th is number place(s, i) of the memory that of(data) spreads over them.
template <class T, class Cells, class Of, class Place>
void check_cells(const Cells& cells, index_t count, index_t n, bool weight_advances, const Of& of, const Place& place) {
  const auto size = static_cast<std::size_t>(count * n);
  const Guarded<T> x(small_integers<T>(size, 10)), dy(small_integers<T>(size, 20)), y(small_integers<T>(size, 30));
  const PerElement<T> weight(n, weight_advances, 40), bias(n, weight_advances, 50);
  const Coefficients<T> c;
  norma::map_cells<both, false>(cells, n, of(x.data()), of(y.data()), c.forward(), weight.plus(T(1)), bias.plus(T(0)), {});
  for (index_t s = 0; s < count; ++s) {
    for (index_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(place(s, i));
      ASSERT_EQ(y.data()[at], c.x_hat(x.values[at], s) * (weight.at(i) + T(1)) + bias.at(i)) << "cell " << s << " at " << i << " of " << n;
    }
  }
  norma::backward_map_cells<true, false, false>(cells, n, of(dy.data()), of(x.data()), of(y.data()), c.forward(), c.backward(),
                                                weight.plus(T(1)), {});
  for (index_t s = 0; s < count; ++s) {
    for (index_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(place(s, i));
      const T g = dy.values[at] * (weight.at(i) + T(1));
      ASSERT_EQ(y.data()[at], g * c.scale[s] + (c.x_hat(x.values[at], s) * c.slope[s] + c.offset[s])) << "cell " << s << " at " << i;
    }
  }
}

TYPED_TEST(MapGroups, CellsAcrossLanesInRowsOfThem) {
  using Cells = norma::LaneCells<TypeParam>;
  for (const bool several : {false, true}) {
    for (index_t count = 1; count <= 2 * norma::pack_size<TypeParam> + 1; ++count) {
      for (index_t n = 0; n <= 9; ++n) {
        check_cells<TypeParam>(
            Cells{count, several}, count, n, true,
            [&](TypeParam* p) {
              return typename Cells::template Of<TypeParam>{p, count};
            },
            [&](index_t s, index_t i) { return i * count + s; });
      }
    }
  }
}

/// Last row first in memory, so that nothing behind a row may be touched.
TYPED_TEST(MapGroups, RowsAloneAndInColumnsOfThem) {
  using Cells = norma::RowCells<TypeParam>;
  for (const bool together : {false, true}) {
    for (const index_t count : {1, 2, 5, 11}) {
      for (index_t n = 0; n <= norma::short_row<TypeParam> + 2 * norma::lanes<TypeParam>; n += n < 40 ? 1 : 13) {
        index_t offset[11];
        for (index_t s = 0; s < count; ++s) offset[s] = (count - 1 - s) * n;
        check_cells<TypeParam>(
            Cells{count, together}, count, n, n % 3 > 0,
            [&](TypeParam* p) {
              return typename Cells::template Of<TypeParam>{p, offset};
            },
            [&](index_t s, index_t i) { return offset[s] + i; });
      }
    }
  }
}

}  // namespace
}  // namespace norma_test
