// LayerNorm and RMSNorm whose normalized axes are split over MPI's processes: the same checks as over threads, and an error on one of them.
#include <norma/interop/mpi.hpp>
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include "support/split_rows.hpp"

namespace norma_test {
namespace {

const norma::MpiCommunicator& world() {
  static const norma::MpiCommunicator comm = norma::mpi(MPI_COMM_WORLD);
  return comm;
}

template <class Kind, class T>
void check() {
  for (const SplitCase& c : all_split_cases()) {
    if (static_cast<int>(c.parts.size()) != world().size()) continue;
    SCOPED_TRACE(name_of(c));
    check_split_rows<Kind, T>(world(), c);
  }
}
TEST(MpiSplitNorm, LayerNormF32) { check<LayerNormKind, float>(); }
TEST(MpiSplitNorm, LayerNormF64) { check<LayerNormKind, double>(); }
TEST(MpiSplitNorm, RmsNormF32) { check<RmsNormKind, float>(); }
TEST(MpiSplitNorm, RmsNormF64) { check<RmsNormKind, double>(); }

/// Each rank in turn has a row less than the others, or a shard that is not its layer's.
TEST(MpiSplitNorm, AnErrorOnOneRankReachesAll) {
  const Extents extents = {4, 6};
  norma::LayerNorm<float> layer({6});
  Tensor<float> x(extents, {}, random_values<float>(24, 7)), y(extents, {});
  norma::Saved<float> saved;
  for (int bad = 0; bad < world().size(); ++bad) {
    const bool mine = world().rank() == bad;
    const auto shorter = [&](auto view, int axis) { return mine ? view.slice(axis, 0, 3) : view; };
    EXPECT_THROW(layer.forward(world(), shorter(x.view(), 1), shorter(y.view(), 1), saved), norma::ShapeError);
    if (world().size() > 1) {
      EXPECT_THROW(layer(world(), shorter(x.view(), 0), shorter(y.view(), 0)), norma::ShapeError);
    }
    for (const float v : y.values()) EXPECT_TRUE(same_bits(v, Tensor<float>::untouched()));
  }
  layer.forward(world(), x.view(), y.view(), saved);
}

}  // namespace
}  // namespace norma_test
