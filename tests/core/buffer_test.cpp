// Buffer: an ordinary value whose memory is aligned and kept.
#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include <norma/core/buffer.hpp>

#include "support/sanitizers.hpp"

namespace {

using norma::Buffer;

TEST(Buffer, IsFilledAndAligned) {
  const Buffer<float> empty;
  EXPECT_EQ(empty.size(), 0);
  EXPECT_EQ(empty.data(), nullptr);
  EXPECT_TRUE(empty.span().empty());
  for (const norma::index_t size : {1, 3, 17, 1000}) {
    const Buffer<float> b(size, 2.5f);
    EXPECT_EQ(b.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
    for (const float v : b.span()) EXPECT_EQ(v, 2.5f);
  }
  const Buffer<double> zeros(5);
  for (const double v : zeros.span()) EXPECT_EQ(v, 0.0);
}

TEST(Buffer, ShrinkingAndGrowingBackKeepsTheMemory) {
  Buffer<double> b(100, 1);
  const double* const memory = b.data();
  b.resize(10);
  EXPECT_EQ(b.size(), 10);
  b.resize(0);
  EXPECT_TRUE(b.span().empty());
  b.resize(100);
  EXPECT_EQ(b.data(), memory);
  b.resize(200);
  EXPECT_EQ(b.size(), 200);
}

TEST(Buffer, NothingIsNotAbsence) {
  const Buffer<float> nothing(0), absent;
  EXPECT_NE(nothing.data(), nullptr);
  EXPECT_NE(Buffer<float>(nothing).data(), nullptr);
  EXPECT_EQ(Buffer<float>(absent).data(), nullptr);
}

TEST(Buffer, KeepsWhatItHasWhereItCannotGrow) {
  Buffer<double> b(3, 7);
  std::vector<norma::index_t> sizes = {norma::largest_index, norma::largest_index / 2, norma::index_t{1} << 61};
  if (!norma_test::under_address_sanitizer) sizes.push_back(norma::index_t{1} << 55);
  for (const norma::index_t size : sizes) {
    EXPECT_THROW(b.resize(size), std::bad_alloc) << size;
    ASSERT_EQ(b.size(), 3);
    for (const double v : b.span()) EXPECT_EQ(v, 7);
  }
}

TEST(Buffer, CopiesAreIndependent) {
  Buffer<float> a(4, 1);
  Buffer<float> b(a);
  b.data()[0] = 9;
  EXPECT_EQ(a.data()[0], 1.0f);
  EXPECT_EQ(b.data()[1], 1.0f);
  a = b;
  EXPECT_EQ(a.data()[0], 9.0f);
  EXPECT_NE(a.data(), b.data());
  const Buffer<float>& itself = a;
  a = itself;
  EXPECT_EQ(a.data()[0], 9.0f);
  EXPECT_EQ(a.size(), 4);
  a = Buffer<float>();
  EXPECT_EQ(a.size(), 0);
}

TEST(Buffer, MovesTakeTheMemory) {
  Buffer<float> a(4, 1), c(2, 3);
  const float* const memory = a.data();
  Buffer<float> b(std::move(a));
  EXPECT_EQ(b.data(), memory);
  c = std::move(b);
  EXPECT_EQ(c.data(), memory);
  EXPECT_EQ(c.size(), 4);
}

}  // namespace
