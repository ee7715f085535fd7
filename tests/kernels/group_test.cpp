// Groups: neighbours share groups, without gaps.
#include "kernels/groups.hpp"

namespace norma_test { namespace {

template <class T>
class Groups : public testing::Test {};
TYPED_TEST_SUITE(Groups, Elements);

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
