// The fixed grid: pivots of a power of two of elements, chunks of whole blocks, lanes of a register that a tail fills.
#include <gtest/gtest.h>

#include <algorithm>

#include <norma/kernels/grid.hpp>

namespace {

TEST(Grid, APivotIsTheMeanOfAPowerOfTwoOfElements) {
  norma::index_t before = 1;
  for (norma::index_t n = 1; n <= 9000; ++n) {
    const norma::index_t length = norma::pivot_length(n);
    ASSERT_EQ(length & (length - 1), 0) << n;
    ASSERT_LE(length, n);
    ASSERT_LE(length, 64);
    ASSERT_TRUE(2 * length > n || length == 64) << "the largest one for " << n;
    ASSERT_GE(length, before);
    before = length;
  }
}

TEST(Grid, ChunksAreWholeBlocksAndBlocksWholeLanes) {
  EXPECT_EQ(norma::chunk_length % norma::block_length, 0);
  EXPECT_EQ(norma::block_length % norma::lanes<float>, 0);
  EXPECT_EQ(norma::block_length % norma::lanes<double>, 0);
}

TEST(Grid, LanesLeftIsBetweenNoneAndAll) {
  for (norma::index_t n = -3; n <= 20; ++n) EXPECT_EQ(norma::lanes_left<8>(n), std::clamp<norma::index_t>(n, 0, 8));
}

}  // namespace
