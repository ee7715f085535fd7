// Parameter gradients: slots from the shape alone, sums in T that move to double, and their way to the parameters.
#include <gtest/gtest.h>

#include <vector>

#include <norma/core/buffer.hpp>
#include <norma/engine/gradients.hpp>

namespace {

using norma::index_t;

TEST(SlotGrid, CoversEverySetOnceInWholeFlushes) {
  for (const index_t set_size : {1, 768, 8192, 8193, 100000}) {
    for (const index_t sets : {0, 1, 63, 64, 65, 128, 1000, 4096, 65536}) {
      const norma::SlotGrid grid(sets, set_size);
      EXPECT_EQ(grid.sets_per_slot % norma::SlotGrid::flush_interval, 0);
      EXPECT_LE(grid.slots, set_size <= 8192 ? 32 : 8);
      EXPECT_GE(grid.slots * grid.sets_per_slot, sets);
      EXPECT_TRUE(sets == 0 ? grid.slots == 0 : (grid.slots - 1) * grid.sets_per_slot < sets) << "no slot is empty";
    }
  }
}

template <class T>
class SlotSums : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(SlotSums, Elements);

// The first flush replaces what was in memory, the next ones add; running sums start at 0 again each time.
TYPED_TEST(SlotSums, FlushesReplaceThenAdd) {
  for (const index_t width : {index_t(1), index_t(norma::lanes<TypeParam>)}) {
    const index_t size = 37;
    norma::Buffer<std::byte> memory(norma::SlotSums<TypeParam>::bytes(size, width));
    for (index_t i = 0; i < memory.size(); ++i) memory.data()[i] = std::byte(0x3F);
    norma::SlotSums<TypeParam> sums(size, width, memory.data());
    sums.clear_running();
    for (int flush = 1; flush <= 3; ++flush) {
      for (index_t i = 0; i < size * width; ++i) {
        EXPECT_EQ(sums.running.weight[i], TypeParam(0));
        sums.running.weight[i] = static_cast<TypeParam>(i / width);
        sums.running.bias[i] = TypeParam(-1);
      }
      sums.flush();
      for (index_t i = 0; i < size; ++i) {
        EXPECT_EQ(sums.weight[i], static_cast<double>(flush * i * width)) << "flush " << flush;
        EXPECT_EQ(sums.bias[i], static_cast<double>(-flush * width)) << "flush " << flush;
      }
    }
  }
}

// What a float cannot hold beside a larger sum is kept by the sums in double.
TEST(SlotSumsInDouble, SmallSumsBesideLargeOnesSurvive) {
  norma::Buffer<std::byte> memory(norma::SlotSums<float>::bytes(1, 1));
  norma::SlotSums<float> sums(1, 1, memory.data());
  sums.clear_running();
  for (const float value : {0x1p30f, 1.0f, 1.0f, -0x1p30f}) {
    sums.running.weight[0] = value;
    sums.flush();
  }
  EXPECT_EQ(sums.weight[0], 2);
}

norma::AxisList axes(std::initializer_list<norma::Axis> list) {
  norma::AxisList result;
  for (const norma::Axis& axis : list) result.axis[result.count++] = axis;
  return result;
}
norma::Axis axis(index_t extent, index_t gradient_stride) {
  norma::Axis result{extent, {}};
  result.stride[norma::stream_weight_grad] = gradient_stride;
  return result;
}

/// {1, ..., 6} scattered along these axes to gradients that begin at `first`.
template <class T>
std::vector<T> scattered(std::initializer_list<norma::Axis> list, std::vector<T> gradients, std::size_t first = 0) {
  const double partial[] = {1, 2, 3, 4, 5, 6};
  norma::scatter_to(axes(list), norma::stream_weight_grad, partial, gradients.data() + first);
  return gradients;
}

TEST(ScatterGradient, AddsToWhatElementsShareAtStridesOfItsOwn) {
  using Floats = std::vector<float>;
  EXPECT_EQ(scattered({axis(2, 3), axis(3, 1)}, Floats(6, 10)), (Floats{11, 12, 13, 14, 15, 16})) << "one number per element";
  EXPECT_EQ(scattered({axis(2, 0), axis(3, 1)}, Floats(3, 10)), (Floats{15, 17, 19})) << "per column";
  EXPECT_EQ(scattered({axis(2, 1), axis(3, 0)}, Floats(2, 10)), (Floats{16, 25})) << "per row";
  EXPECT_EQ(scattered({axis(2, 0), axis(3, 0)}, Floats(1, 10)), (Floats{31})) << "one for all";
  using Doubles = std::vector<double>;
  EXPECT_EQ(scattered({axis(2, 1), axis(3, 2)}, Doubles(6, 0)), (Doubles{1, 4, 2, 5, 3, 6})) << "transposed";
  EXPECT_EQ(scattered({axis(6, -1)}, Doubles(7, 0), 5), (Doubles{6, 5, 4, 3, 2, 1, 0})) << "backwards";
}

// One parameter that all elements share: the sum of many loses no more digits than that of a few.
TEST(Scatter, ManyThatShareAParameter) {
  const index_t n = 100000;
  std::vector<double> partial(static_cast<std::size_t>(n), 0.1);
  std::vector<double> gradient(1, 0.5);
  norma::AxisList averaged;
  averaged.count = 1;
  averaged.axis[0] = {n, {}};
  norma::scatter_to(averaged, norma::stream_bias_grad, partial.data(), gradient.data());
  EXPECT_NEAR(gradient[0], 0.5 + 0.1 * static_cast<double>(n), 4e-12) << "4 eps of the sum; one after the other loses 20,000";
}

}  // namespace
