// SetStream: elements of a set in blocks, straight from memory where they lie as wanted, staged otherwise.
#include <gtest/gtest.h>

#include <vector>

#include <norma/engine/set_stream.hpp>

namespace {

using norma::Extents;
using norma::Operand;
using norma::Operands;
using norma::SetStream;
using norma::TensorView;

/// x of these strides over `memory`, whose element i is i, and averaged axes.
template <class T>
struct Case {
  Case(const Extents& extents, const Extents& strides, norma::AxisSet averaged, std::size_t size) : memory(size) {
    for (std::size_t i = 0; i < size; ++i) memory[i] = static_cast<T>(i);
    operands[norma::stream_x] = Operand(TensorView<T>(memory.data(), extents, strides));
    layout = norma::Layout(extents, averaged, operands);
  }
  SetStream<float> stream() const { return {operands, layout, norma::stream_x}; }

  std::vector<T> memory;
  Operands operands;
  norma::Layout layout{Extents{}, 0u, Operands()};
};

std::vector<float> read(const SetStream<float>& stream, norma::index_t offset, norma::index_t first, norma::index_t count,
                        float scale = 1) {
  std::vector<float> tile(static_cast<std::size_t>(count), -1);
  const float* const from = stream.read(offset, first, count, tile.data(), scale);
  return {from, from + count};
}

TEST(SetStream, ContiguousFloatsAreReadInPlace) {
  const Case<float> c({3, 8}, {8, 1}, 0b10, 24);
  const SetStream<float> stream = c.stream();
  EXPECT_TRUE(stream.direct());
  EXPECT_FALSE(stream.constant());
  float tile[8];
  EXPECT_EQ(stream.read(8, 2, 4, tile), c.memory.data() + 10);
  EXPECT_EQ(stream.target(16, 1, tile), c.memory.data() + 17);
  EXPECT_EQ(stream.data(8), c.memory.data() + 8);
}

TEST(SetStream, ScaledStridedAndOtherTypesAreStaged) {
  const Case<float> contiguous({3, 4}, {4, 1}, 0b10, 12);
  EXPECT_EQ(read(contiguous.stream(), 4, 1, 3, 0.5f), (std::vector<float>{2.5f, 3, 3.5f}));
  EXPECT_EQ(contiguous.memory[5], 5) << "staged, not scaled in place";
  const Case<float> strided({3, 4}, {1, 3}, 0b10, 12);
  EXPECT_FALSE(strided.stream().direct());
  EXPECT_EQ(read(strided.stream(), 1, 1, 3), (std::vector<float>{4, 7, 10}));
  const Case<double> wider({3, 4}, {4, 1}, 0b10, 12);
  EXPECT_FALSE(wider.stream().direct());
  EXPECT_EQ(read(wider.stream(), 8, 0, 4), (std::vector<float>{8, 9, 10, 11}));
}

TEST(SetStream, OneValueForAWholeSet) {
  std::vector<float> x(12), per_row = {7, 8, 9};
  Operands operands;
  operands[norma::stream_x] = Operand(TensorView<float>(x.data(), {3, 4}));
  operands[norma::stream_weight] = Operand(TensorView<float>(per_row.data(), {3, 4}, {1, 0}));
  const norma::Layout layout({3, 4}, 0b10u, operands);
  const SetStream<float> stream(operands, layout, norma::stream_weight);
  EXPECT_TRUE(stream.constant());
  EXPECT_EQ(stream.value(2), 9);
}

}  // namespace
