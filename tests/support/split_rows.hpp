// A norm whose normalized axes are split over ranks: every rank's shard against the reference's answer to the whole, on any communicator.
#pragma once

#include <norma/interop/openmp.hpp>
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/ranks.hpp"
#include "support/shared_batch.hpp"

namespace norma_test {

/// x of these extents, normalized over the last `trailing` axes, of which `axis` is dealt to ranks.
struct SplitCase {
  Extents whole;
  std::size_t trailing, axis;
  std::vector<std::ptrdiff_t> parts;
};
inline std::string name_of(const SplitCase& c) {
  return to_string(c.whole) + "_last_" + std::to_string(c.trailing) + "_axis_" + std::to_string(c.axis) + "_as_" + to_string(c.parts, "_");
}
inline void PrintTo(const SplitCase& c, std::ostream* out) { *out << name_of(c); }

inline std::vector<SplitCase> all_split_cases() {
  struct Rows {
    Extents whole;
    std::size_t trailing, axis;
  };
  const std::vector<Rows> shapes = {{{4, 12}, 1, 1},   {{3, 100}, 1, 1},  {{40, 7}, 1, 1},   {{2, 5, 64}, 1, 2}, {{3, 6, 5}, 2, 1},
                                    {{3, 6, 5}, 2, 2}, {{5, 8, 3}, 3, 0}, {{1, 1031}, 1, 1}, {{33, 40}, 1, 1},   {{2, 8, 4, 6}, 3, 1}};
  std::vector<SplitCase> cases;
  for (const Rows& s : shapes) {
    for (const Split& split : all_splits()) cases.push_back({s.whole, s.trailing, s.axis, split.samples(s.whole[s.axis])});
  }
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{1}, {0, 1}, {1, 0}}) cases.push_back({{5, 1}, 1, 1, parts});
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{6}, {2, 4}, {6, 0}}) cases.push_back({{0, 6}, 1, 1, parts});
  for (const std::vector<std::ptrdiff_t>& parts : {std::vector<std::ptrdiff_t>{0}, {0, 0}}) cases.push_back({{3, 0}, 1, 1, parts});
  return cases;
}

struct LayerNormKind {
  static constexpr const char* name = "LayerNorm";
  static constexpr auto reference = reference::layer_norm;
  template <class T>
  using Layer = norma::LayerNorm<T>;
};
struct RmsNormKind {
  static constexpr const char* name = "RMSNorm";
  static constexpr auto reference = reference::rms_norm;
  template <class T>
  using Layer = norma::RMSNorm<T>;
};

/// The elements of a whole, as positions in it, that a rank holds.
inline std::vector<std::size_t> shard_of(const Extents& whole, std::size_t axis, std::ptrdiff_t first, std::ptrdiff_t length) {
  Extents shard = whole;
  shard[axis] = length;
  std::vector<std::size_t> positions;
  for_each_index(shard, [&](const Extents& index) {
    std::size_t at = 0;
    for (std::size_t a = 0; a < whole.size(); ++a) {
      at = at * static_cast<std::size_t>(whole[a]) + static_cast<std::size_t>(index[a] + (a == axis ? first : 0));
    }
    positions.push_back(at);
  });
  return positions;
}
template <class V>
V pick(const V& values, const std::vector<std::size_t>& positions) {
  V result;
  for (const std::size_t p : positions) result.push_back(values[p]);
  return result;
}

/// All that one rank can see of inference, a training forward and a backward.
template <class Kind, class T, norma::Communicator C>
void check_split_rows(const C& comm, const SplitCase& c) {
  using namespace shared_batch_detail;
  SCOPED_TRACE(std::string(Kind::name) + " on rank " + std::to_string(comm.rank()) + " of " + std::to_string(comm.size()));
  Setting s;
  s.extents = c.whole;
  s.eps = 1e-3;
  s.axes.clear();
  for (std::size_t a = c.whole.size() - c.trailing; a < c.whole.size(); ++a) s.axes.push_back(static_cast<std::ptrdiff_t>(a));
  const Inputs<T, T, T> in = random_inputs<T, T, T>(s, 31, 2);
  const reference::Problem p = problem(s, in);
  const reference::Answer exact = Kind::reference(p);
  const Bounds bound = bounds(p, exact, precision_of<T>());

  const std::size_t rank = static_cast<std::size_t>(comm.rank()), kept = c.whole.size() - c.trailing;
  std::ptrdiff_t first = 0;
  for (std::size_t r = 0; r < rank; ++r) first += c.parts[r];
  Extents mine = c.whole;
  mine[c.axis] = c.parts[rank];
  const Extents shape(mine.begin() + static_cast<std::ptrdiff_t>(kept), mine.end());
  const Extents whole_shape(c.whole.begin() + static_cast<std::ptrdiff_t>(kept), c.whole.end());
  const std::vector<std::size_t> elements = shard_of(c.whole, c.axis, first, c.parts[rank]),
                                 cells = shard_of(whole_shape, c.axis - kept, first, c.parts[rank]);

  typename Kind::template Layer<T> layer(norma::Extents(shape), {.eps = s.eps, .bias = true});
  std::ranges::copy(pick(in.weight, cells), layer.weight().begin());
  std::ranges::copy(pick(in.bias, cells), layer.bias().begin());
  auto threaded = layer;
  Tensor<T> x(mine, where_of(comm.rank(), 0), pick(in.x, elements)), y(mine, where_of(comm.rank(), 1)), inferred(mine, {});
  Tensor<T> dy(mine, where_of(comm.rank(), 2), pick(in.dy, elements)), dx(mine, where_of(comm.rank(), 3));
  norma::Saved<T> saved, of_threaded;
  layer(comm, x.view(), inferred.view());
  layer.forward(comm, x.view(), y.view(), saved);
  layer.backward(comm, dy.view(), x.view(), saved, dx.view());

  EXPECT_TRUE(within(y.values(), pick(exact.y, elements), pick(bound.y, elements))) << "y";
  EXPECT_TRUE(same(y.values(), inferred.values())) << "inference and training differ";
  EXPECT_TRUE(within(dx.values(), pick(exact.dx, elements), pick(bound.dx, elements))) << "dx";
  EXPECT_TRUE(within(copy<T>(layer.weight_grad()), pick(exact.dweight, cells), pick(bound.dweight, cells))) << "weight_grad";
  EXPECT_TRUE(within(copy<T>(layer.bias_grad()), pick(exact.dbias, cells), pick(bound.dbias, cells))) << "bias_grad";
  if (!p.x.empty()) {
    EXPECT_TRUE(within(copy(saved.rstd()), exact.rstd, bound.rstd)) << "rstd";
    EXPECT_TRUE(within(copy(saved.mean()), exact.centred ? exact.mean : std::vector<real>(), bound.mean)) << "mean";
  }
  expect_same_everywhere(comm, "saved.mean()", saved.mean());
  expect_same_everywhere(comm, "saved.rstd()", saved.rstd());
  EXPECT_TRUE(x.surroundings_untouched() && y.surroundings_untouched() && dy.surroundings_untouched() && dx.surroundings_untouched());

  // Threads inside a rank change no bit; a rank may go without dx; gradients add up; y may be x, dx may be dy.
  Tensor<T> y2(mine, where_of(comm.rank(), 1)), dx2(mine, where_of(comm.rank(), 3));
  threaded.forward(norma::openmp(2), comm, x.view(), y2.view(), of_threaded);
  EXPECT_TRUE(same(y.values(), y2.values())) << "y with openmp(2)";
  threaded.backward(norma::openmp(2), comm, dy.view(), x.view(), of_threaded, dx2.view());
  EXPECT_TRUE(same(dx.values(), dx2.values())) << "dx with openmp(2)";
  const std::vector<T> once = copy<T>(layer.weight_grad());
  EXPECT_TRUE(same(copy<T>(threaded.weight_grad()), once)) << "weight_grad with openmp(2)";
  const norma::TensorView<T> absent;
  layer.backward(comm, dy.view(), x.view(), saved, comm.rank() % 2 == 1 ? absent : dx2.view());
  EXPECT_TRUE(same(dx.values(), dx2.values())) << "dx beside a rank without one";
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(layer.weight_grad()[i], 2 * once[i]);
  layer.backward(comm, dy.view(), x.view(), saved, dy.view());
  EXPECT_TRUE(same(dx.values(), dy.values())) << "dx over dy";
  layer(comm, x.view(), x.view());
  EXPECT_TRUE(same(y.values(), x.values())) << "y over x";
}

}  // namespace norma_test
