// stage: strided runs of any element type to a tile and back.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include <norma/kernels/stage.hpp>

namespace {

using norma::index_t;

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

TEST(Stage, BytesOfWholeRegistersAreThoseOneByOne) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> numbers = {inf, -inf, nan, -nan, 127.5F, -127.5F, 1e9F, -1e9F, -0.0F, 0x1p-140F};
  for (int i = -600; i <= 600; ++i) numbers.push_back(static_cast<float>(i) / 4);
  std::vector<std::int8_t> bytes(numbers.size(), 99), one_by_one(numbers.size());
  norma::unstage_run(bytes.data(), 1, numbers.data(), static_cast<index_t>(numbers.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) norma::put_number(&one_by_one[i], numbers[i]);
  EXPECT_EQ(bytes, one_by_one);
  EXPECT_EQ((std::vector<int>(bytes.begin(), bytes.begin() + 6)), (std::vector<int>{127, -127, 0, 0, 127, -127}));
}

TEST(Gather, NumbersFromTheirPlacesAndARegisterFilled) {
  float numbers[64];
  for (int i = 0; i < 64; ++i) numbers[i] = static_cast<float>(i) + 0.5f;
  for (const index_t stride : {index_t{1}, index_t{-1}, index_t{0}, index_t{2}}) {
    for (index_t n = 0; n <= 19; ++n) {
      index_t place[19];
      for (index_t i = 0; i < n; ++i) place[i] = i < 11 ? i + 3 : 25 - i;  // side by side at first
      alignas(64) double column[32];
      for (double& c : column) c = -1;
      const float* const source = stride < 0 ? numbers + 40 : numbers;
      norma::gather(source, stride, place, n, column);
      for (index_t i = 0; i < n; ++i) EXPECT_EQ(column[i], static_cast<double>(source[place[i] * stride])) << i << " of " << n;
      for (index_t i = n; i % norma::pack_size<double> != 0; ++i) EXPECT_EQ(column[i], 0) << "a register is filled";
    }
  }
}

}  // namespace
