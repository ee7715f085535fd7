// Plan: slices that cut x without overlap and know where their statistics belong; what is a cell, and in which order it is
// summed.
#include <gtest/gtest.h>

#include <vector>

#include <norma/engine/plan.hpp>

#include "support/shape.hpp"

namespace {

using norma::Extents;
using norma::index_t;

enum class Kind { batch, group, instance };

struct Norm {
  Kind kind;
  index_t groups = 0;

  norma::Roles roles(int rank) const {
    return kind == Kind::batch   ? norma::batch_roles(rank)
           : kind == Kind::group ? norma::group_roles(rank, groups)
                                 : norma::plane_roles(rank);
  }
  /// The statistic set of sample n and channel c among so many channels, of which so many share a set.
  index_t set_of(index_t n, index_t c, index_t channels, index_t unit) const {
    if (kind == Kind::batch) return c;
    return n * (channels / unit) + c / unit;
  }
  index_t unit(index_t channels) const { return kind == Kind::group ? channels / groups : 1; }
};

norma::Plan plan_of(const Extents& extents, const norma::Roles& roles, const norma::Operands& operands, index_t most_sets = 1 << 20,
                    int threads = 1, norma::Span span = norma::Span::none, norma::Sums sums = norma::Sums::of_one_task) {
  return norma::Plan(extents, roles, operands, span, most_sets, threads, sums);
}

norma::Operands only_x(const norma::TensorView<double>& x) {
  norma::Operands operands;
  operands[norma::stream_x] = norma::Operand(x);
  return operands;
}

/// f(norm, operands of x, channels-last?) for every norm, x lying in both ways.
template <class F>
void for_each_norm(const Extents& extents, std::vector<double>& memory, F f) {
  for (const bool channels_last : {false, true}) {
    const auto x = channels_last ? norma::channels_last(memory.data(), extents) : norma::TensorView<double>(memory.data(), extents);
    for (const Norm& norm : {Norm{Kind::batch}, Norm{Kind::instance}, Norm{Kind::group, 1}, Norm{Kind::group, 4}}) {
      SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(norm.kind) << ", groups " << norm.groups << ", channels " << extents[1]
                                      << ", samples " << extents[0] << (channels_last ? ", channels-last" : ""));
      f(norm, only_x(x), channels_last);
    }
  }
}

/// f(n, c, pointer) for all elements of a stream of a slice.
template <class F>
void each_element(const Extents& extents, const norma::Operand& operand, F f) {
  norma_test::for_each_index({extents.begin(), extents.end()}, [&](const norma_test::Extents& at) {
    index_t offset = 0;
    for (int a = 0; a < extents.size(); ++a) offset += at[static_cast<std::size_t>(a)] * operand.strides[a];
    f(at[0], at[1], static_cast<double*>(operand.data) + offset);
  });
}

/// Large enough for several slices, small planes, few channels, one of each.
TEST(Plan, SlicesCutXWithoutOverlapAndKnowTheirSets) {
  for (const Extents& extents : std::vector<Extents>{
           {2, 4, 4, 4}, {3, 64, 33, 31}, {5, 1024, 4, 5}, {40, 8, 64, 64}, {1, 4, 17}, {2, 256, 2, 3, 4}, {7, 12, 1, 1}}) {
    std::vector<double> memory(static_cast<std::size_t>(extents.product()));
    for_each_norm(extents, memory, [&](const Norm& norm, const norma::Operands& operands, bool channels_last) {
      const norma::Roles roles = norm.roles(extents.size());
      const auto check = [&](const norma::Plan& plan, index_t most_sets, bool all_samples, bool all_channels) {
        if (!plan.in_slices()) return;
        const index_t unit = norm.unit(extents[1]);
        std::vector<int> visits(memory.size(), 0), set_visits(static_cast<std::size_t>(norma::set_count(extents, roles)), 0);
        for (index_t i = 0; i < plan.slices(); ++i) {
          const norma::Slice slice = plan.slice(i);
          const index_t channels = slice.extents[1], samples = slice.extents[0];
          EXPECT_TRUE(!all_samples || samples == extents[0]);
          EXPECT_TRUE(!all_channels || channels == extents[1]);
          // Where the slice begins tells the sample and channel of its elements.
          const index_t first = static_cast<double*>(slice.operands[norma::stream_x].data) - memory.data();
          const index_t plane = extents.product() / (extents[0] * extents[1]);
          const index_t n0 = first / (extents[1] * plane), c0 = channels_last ? first % extents[1] : first / plane % extents[1];
          each_element(slice.extents, slice.operands[norma::stream_x], [&](index_t n, index_t c, const double* p) {
            ++visits[static_cast<std::size_t>(p - memory.data())];
            ASSERT_EQ(slice.piece.place(norm.set_of(n, c, channels, unit)), norm.set_of(n0 + n, c0 + c, extents[1], unit));
          });
          const index_t sets = norma::set_count(slice.extents, slice.roles);
          EXPECT_EQ(slice.piece.sets, sets);
          EXPECT_LE(sets, plan.sets_per_slice());
          EXPECT_LE(sets, most_sets);
          for (index_t s = 0; s < sets; ++s) ++set_visits[static_cast<std::size_t>(slice.piece.place(s))];
        }
        EXPECT_EQ(visits, std::vector<int>(visits.size(), 1)) << "elements";
        EXPECT_EQ(set_visits, std::vector<int>(set_visits.size(), 1)) << "sets";
      };
      for (const int threads : {1, 2, 16}) {
        for (const index_t most_sets : {index_t{128}, index_t{1} << 20}) {
          check(plan_of(extents, roles, operands, most_sets, threads), most_sets, false, false);
        }
        const index_t any = index_t{1} << 20;
        check(plan_of(extents, roles, operands, any, threads, norma::Span::none, norma::Sums::shared), any, false, false);
        if (norm.kind != Kind::instance) continue;
        check(plan_of(extents, roles, operands, any, threads, norma::Span::channels), any, true, false);
        check(plan_of(extents, roles, operands, any, threads, norma::Span::sample), any, false, true);
        check(plan_of(extents, roles, operands, any, threads, norma::Span::call), any, true, true);
      }
    });
  }
}

TEST(Plan, ParametersThatVaryInsideAPlaneLeaveSetsWhole) {
  const Extents extents{4, 8, 6, 6};
  std::vector<double> memory(static_cast<std::size_t>(extents.product()));
  norma::Operands operands = only_x({memory.data(), extents});
  EXPECT_TRUE(plan_of(extents, norma::batch_roles(4), operands).in_slices());
  operands[norma::stream_weight] = operands[norma::stream_x];
  EXPECT_FALSE(plan_of(extents, norma::batch_roles(4), operands).in_slices());
  EXPECT_TRUE(plan_of(extents, norma::batch_roles(4), operands).varies_in_cells({norma::stream_weight}));
}

TEST(Plan, PlanesAreSummedInAChainWhereChannelsLieInsideThem) {
  std::vector<double> memory(5 * 8 * 6 * 7);
  const auto chains = [&](const norma::Roles& roles, const Extents& extents, const Extents& strides) {
    return plan_of(extents, roles, only_x({memory.data(), extents, strides})).order() == norma::Order::chain;
  };
  for (const norma::Roles& roles : {norma::plane_roles(4), norma::group_roles(4, 2)}) {
    for (const index_t samples : {5, 1}) {
      const Extents extents{samples, 8, 6, 7};
      EXPECT_FALSE(chains(roles, extents, {336, 42, 7, 1})) << "NCHW";
      EXPECT_TRUE(chains(roles, extents, {336, 1, 56, 8})) << "NHWC";
      EXPECT_FALSE(chains(roles, extents, {1, 210, 35, 5})) << "CHWN";
      EXPECT_TRUE(chains(roles, extents, {1, 5, 280, 40})) << "HWCN";
    }
    EXPECT_FALSE(chains(roles, {5, 8, 3, 6}, {336, 1, 112, 8})) << "a crop, whose positions lie in no row";
  }
  EXPECT_FALSE(chains(norma::plane_roles(4), {5, 1, 6, 7}, {336, 1, 56, 8})) << "one channel";
  EXPECT_TRUE(chains(norma::group_roles(3, 1), {2, 3, 5}, {15, 1, 3})) << "tiny planes, too, although a set is one run";
}

TEST(Plan, ChannelsOfABatchAreOneChainWhereAllTheirRowsAreOneRun) {
  std::vector<double> memory(5 * 8 * 6 * 8);
  const auto plan = [&](const Extents& strides) {
    return plan_of({5, 8, 6, 7}, norma::batch_roles(4), only_x({memory.data(), {5, 8, 6, 7}, strides}));
  };
  EXPECT_EQ(plan({336, 1, 56, 8}).roles().merged, 0U) << "NHWC";
  EXPECT_NE(plan({384, 1, 56, 8}).roles().merged, 0U) << "samples further apart";
  EXPECT_EQ(plan({384, 1, 56, 8}).order(), norma::Order::chain);
  EXPECT_NE(plan({336, 42, 7, 1}).roles().merged, 0U) << "NCHW";
}

TEST(Plan, FewChannelsLieAbreastWhereTheirRowsAreRuns) {
  std::vector<double> memory(4 * 40 * 60 * 64);
  const auto abreast = [&](const Extents& extents, const Extents& strides, bool mixed = false) {
    norma::Operands operands = only_x({memory.data(), extents, strides});
    if (mixed) operands[norma::stream_dy] = norma::Operand(norma::TensorView<double>(memory.data(), extents));
    const norma::Plan plan = plan_of(extents, norma::batch_roles(4), operands);
    EXPECT_EQ(plan.cells_per_slice() * plan.cell_size(), extents.product());
    EXPECT_EQ(plan.cells_are_sets(), plan.roles().abreast == 1 && plan.roles().merged == 0);
    return plan.roles().abreast;
  };
  EXPECT_EQ(abreast({2, 3, 60, 64}, {11520, 1, 192, 3}), 32) << "96 numbers of 3 channels";
  EXPECT_EQ(abreast({2, 24, 60, 64}, {92160, 1, 1536, 24}), 4);
  EXPECT_EQ(abreast({2, 32, 60, 64}, {122880, 1, 2048, 32}), 1) << "enough for whole registers";
  EXPECT_EQ(abreast({2, 3, 60, 61}, {10980, 1, 183, 3}), 61) << "no other divisor";
  EXPECT_EQ(abreast({2, 3, 60, 64}, {15360, 1, 256, 4}), 1) << "a fourth channel left out";
  EXPECT_EQ(abreast({1, 3, 2, 64}, {384, 1, 192, 3}), 8) << "no fewer than 16 elements a cell";
  EXPECT_EQ(abreast({2, 3, 60, 64}, {11520, 1, 192, 3}, true), 1) << "dy lies otherwise, and what is folded is no chain";
}

}  // namespace
