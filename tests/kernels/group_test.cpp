// Groups: every element of every set is visited in its step, none twice but where that is allowed, and neighbours share groups.
#include <map>

#include "kernels/groups.hpp"

namespace norma_test { namespace {

template <class T>
class Groups : public testing::Test {};
TYPED_TEST_SUITE(Groups, Elements);

/// How often each element of each set is stored by a walk.
template <class T, class Group, class Walk>
void check_visits(const Group& group, index_t n, int most, Walk walk) {
  Sets<T, Group> visits(group, n, 0, [](std::size_t size, std::uint64_t) { return std::vector<T>(size, T(0)); });
  const auto tensor = visits.tensor();
  walk([&](index_t t, auto mask) {
    norma::unroll<Group::registers>([&](auto j) {
      constexpr int part = Group::part(j);
      if (!norma::has<T>(mask, part)) return;
      T* const p = tensor.at(j, t);
      norma::store(mask, part, p, norma::load<T>(mask, part, p) + norma::Pack<T>(T(1)));
    });
  });
  for (index_t s = 0; s < visits.count; ++s) {
    for (index_t i = 0; i < n; ++i) {
      ASSERT_GE(visits.now(s, i), T(1)) << "set " << s << " at " << i << " of " << n;
      ASSERT_LE(visits.now(s, i), T(most)) << "set " << s << " at " << i << " of " << n;
    }
  }
}

TYPED_TEST(Groups, EachElementOfASumIsVisitedOnce) {
  for_each_group<TypeParam>([](const auto& group) {
    for (index_t n = 0; n <= 4 * norma::lanes<TypeParam> + 3; ++n) {
      check_visits<TypeParam>(group, n, 1, [&](auto f) { group.each_step(n, f); });
    }
  });
}

TYPED_TEST(Groups, EachElementOfAMapIsVisitedOnceOrTwiceWhereThatIsAllowed) {
  for_each_group<TypeParam>([]<class Group>(const Group& group) {
    for (index_t n = 0; n <= 2 * norma::lanes<TypeParam> + 3; ++n) {
      for (index_t head = 0;
           head < (Group::registers > norma::lane_packs<TypeParam> || Group::across_lanes ? 1 : norma::pack_size<TypeParam>)&&head <= n;
           ++head) {
        for (const bool twice : {false, true}) {
          check_visits<TypeParam>(group, n, twice ? 3 : 1, [&](auto f) { group.each_step_of_map(n, head, twice, f); });
        }
      }
    }
  });
}

TYPED_TEST(Groups, CellsMakeGroupsWithoutGaps) {
  for (index_t count = 0; count <= 150; ++count) {
    index_t next = 0;
    norma::LaneCells<TypeParam>{count}.each_group([&](auto group, index_t first) {
      EXPECT_EQ(first, next);
      next += group.positions;
    });
    EXPECT_EQ(next, count);
    for (const bool together : {false, true}) {
      next = 0;
      norma::RowCells<TypeParam>{count, together}.each_group([&](auto group, index_t first) {
        EXPECT_EQ(first, next);
        next += group.sets;
      });
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace norma_test
