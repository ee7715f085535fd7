// stage: strided runs of any element type to a tile and back.
#include <gtest/gtest.h>

#include <vector>

#include <norma/kernels/stage.hpp>

namespace {

TEST(Stage, GathersScalesAndWidens) {
  const std::vector<float> source = {1, 2, 3, 4, 5, 6, 7, 8};
  double tile[4];
  norma::stage_run(tile, source.data() + 1, 2, 3, 4.0);
  EXPECT_EQ((std::vector<double>(tile, tile + 3)), (std::vector<double>{8, 16, 24}));
  norma::stage_run(tile, source.data() + 7, -3, 3, 1.0);
  EXPECT_EQ((std::vector<double>(tile, tile + 3)), (std::vector<double>{8, 5, 2}));
  norma::stage_run(tile, source.data() + 4, 0, 3, 1.0);
  EXPECT_EQ((std::vector<double>(tile, tile + 3)), (std::vector<double>{5, 5, 5}));
}

TEST(Stage, ScattersAndRounds) {
  const double tile[3] = {1.0 + 0x1p-40, -2, 3};
  std::vector<float> target(7, 9);
  norma::unstage_run(target.data() + 6, -2, tile, 3);
  EXPECT_EQ(target, (std::vector<float>{9, 9, 3, 9, -2, 9, 1}));
}

}  // namespace
