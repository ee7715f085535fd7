// Block: other streams of the elements that a sweep is about, read and written as rows or as lanes, wherever they lie.
#include <gtest/gtest.h>

#include <vector>

#include <norma/engine/fused_streams.hpp>

namespace {

using norma::Block;
using norma::Extents;
using norma::index_t;
using norma::Operand;
using norma::TensorView;

/// x of (5, 3, 4, 6), averaged over the last two axes, and a stream of elements E; element (n, c, h, w) of either is its row-major number.
template <class E>
struct Case {
  static constexpr index_t N = 5, C = 3, H = 4, W = 6, size = N * C * H * W;

  /// steps: strides of the stream, over memory of `room` elements.
  Case(const Extents& of_x, const Extents& steps, index_t room) : x(size), other(static_cast<std::size_t>(room)), strides(steps) {
    operands[norma::stream_x] = Operand(TensorView<float>(x.data(), {N, C, H, W}, of_x));
    operands[norma::stream_gate] = Operand(TensorView<E>(other.data(), {N, C, H, W}, steps));
    each([&](index_t i, index_t at) { other[static_cast<std::size_t>(at)] = E(static_cast<float>(i)); });
    layout = norma::Layout({N, C, H, W}, 0b1100u, operands);
  }
  template <class F>
  void each(F&& f) const {
    for (index_t i = 0; i < size; ++i)
      f(i, i / (C * H * W) * strides[0] + i / (H * W) % C * strides[1] + i / W % H * strides[2] + i % W * strides[3]);
  }
  Block<float> block(bool lanes, index_t cell, index_t cells, index_t i, index_t n) const {
    return {layout, operands, norma::Pass::map, false, lanes, cell, cells, i, n, 0, {}, nullptr};
  }

  std::vector<float> x;
  std::vector<E> other;
  Extents strides;
  norma::Operands operands;
  norma::Layout layout{Extents{}, 0u, norma::Operands()};
};

/// Reads cells [cell, cell + cells) from element i on, adds 1000 to what is read, and writes that.
template <class E>
void expect_round_trip(Case<E>& c, bool lanes, index_t cell, index_t cells, index_t i, index_t n) {
  std::vector<float> expected;
  c.each([&](index_t, index_t at) { expected.push_back(static_cast<float>(c.other[static_cast<std::size_t>(at)])); });
  c.block(lanes, cell, cells, i, n).each_part([&](const Block<float>& part, index_t r, index_t k) {
    Block<float>::Memory memory, copy;
    const auto lines = part.read(norma::stream_gate, memory);
    const auto changed = part.lines(copy);
    part.each_line(
        [&](index_t line, index_t count) {
          for (index_t p = 0; p < count; ++p) {
            const index_t of_cell = lanes ? cell + p % part.cells : cell + r, element = i + k + (lanes ? line + p / part.cells : p);
            EXPECT_EQ(lines[line][p], static_cast<float>(of_cell * c.H * c.W + element));
            changed[line][p] = lines[line][p] + 1000;
            expected[static_cast<std::size_t>(of_cell * c.H * c.W + element)] += 1000;
          }
        },
        lines, changed);
    part.write(norma::stream_gate, changed);
  });
  std::vector<float> actual;
  c.each([&](index_t, index_t at) { actual.push_back(static_cast<float>(c.other[static_cast<std::size_t>(at)])); });
  EXPECT_EQ(actual, expected);
}

TEST(Block, RowsOfAnyStrides) {
  Case<float> dense({72, 24, 6, 1}, {72, 24, 6, 1}, 360), reversed({72, 24, 6, 1}, {1, 5, 15, 60}, 360);
  Case<double> wider({72, 24, 6, 1}, {72, 24, 6, 1}, 360);
  expect_round_trip(dense, false, 2, 3, 5, 11);
  expect_round_trip(reversed, false, 0, 15, 0, 24);
  expect_round_trip(wider, false, 14, 1, 7, 1);
}

TEST(Block, LanesOfAnyStrides) {
  // Cells are neighbours in x: channels last.
  Case<float> beside({72, 1, 18, 3}, {72, 1, 18, 3}, 360), apart({72, 1, 18, 3}, {72, 24, 6, 1}, 360),
      padded({72, 1, 18, 3}, {200, 1, 40, 5}, 1000);
  Case<norma::float16> half({72, 1, 18, 3}, {72, 1, 18, 3}, 360);
  expect_round_trip(beside, true, 3, 3, 4, 9);
  expect_round_trip(apart, true, 3, 2, 0, 24);
  expect_round_trip(padded, true, 6, 3, 1, 22);
  expect_round_trip(half, true, 3, 3, 4, 9);
}

TEST(Block, WhatRepeatsIsReadEverywhere) {
  Case<float> c({72, 1, 18, 3}, {0, 1, 0, 0}, 3);
  for (std::size_t i = 0; i < 3; ++i) c.other[i] = static_cast<float>(i) + 1;
  for (const bool lanes : {false, true}) {
    c.block(lanes, 3, 3, 2, 5).each_part([&](const Block<float>& part, index_t r, index_t) {
      Block<float>::Memory memory;
      const auto lines = part.read(norma::stream_gate, memory);
      part.each_line(
          [&](index_t line, index_t count) {
            for (index_t p = 0; p < count; ++p) EXPECT_EQ(lines[line][p], static_cast<float>((lanes ? p : r) + 1));
          },
          lines);
    });
  }
}

TEST(Block, LinesThatContinueEachOtherAreOne) {
  const Case<float> c({72, 1, 18, 3}, {72, 1, 18, 3}, 360);
  float numbers[64] = {};
  const auto lines_of = [&](std::initializer_list<index_t> pitches) {
    index_t lines = 0, sum = 0;
    const auto count_line = [&](index_t, index_t n) { ++lines, sum += n; };
    const auto pitch = [&](std::size_t i) { return norma::Lines<float>{numbers, pitches.begin()[i]}; };
    c.block(true, 3, 3, 2, 5).each_line(count_line, pitch(0), pitch(1));
    EXPECT_EQ(sum, 15);
    return lines;
  };
  EXPECT_EQ(lines_of({3, 3}), 1);
  EXPECT_EQ(lines_of({3, 4}), 5);
  EXPECT_EQ(lines_of({0, 3}), 5);
}

TEST(Block, WholePartsHaveAllElements) {
  const Case<float> c({72, 24, 6, 1}, {72, 24, 6, 1}, 360);
  Block<float> block = c.block(false, 0, 3, 0, 3 * Block<float>::most);
  index_t parts = 0;
  block.each_part([&](const Block<float>&, index_t, index_t) { ++parts; });
  EXPECT_EQ(parts, 9);
  block.whole = true;
  block.each_part([&](const Block<float>& part, index_t r, index_t k) {
    EXPECT_EQ(part.n, block.n);
    EXPECT_EQ(part.cell, r);
    EXPECT_EQ(k, 0);
    ++parts;
  });
  EXPECT_EQ(parts, 12);
}

}  // namespace
