// Rows as kernels take them: by pointers or by a stride, next to forbidden memory; the coefficients and sums that go with them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <norma/kernels/fold_lanes.hpp>

#include "support/exact_data.hpp"
#include "support/guarded.hpp"

namespace norma_test {

using Elements = testing::Types<float, double>;

/// Numbers that any other order of operations rounds otherwise, made as small_integers are.
template <class T>
std::vector<T> random_numbers(std::size_t n, std::uint64_t seed) {
  return random_values<T>(n, seed, 2);
}

/// Numbers beside a forbidden page, and what they were at first.
template <class T>
struct Guarded {
  explicit Guarded(std::vector<T> numbers, Placement placement = Placement::at_page_end)
      : values(std::move(numbers)), memory(values.size() * sizeof(T), placement) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() const { return reinterpret_cast<T*>(memory.data()); }
  std::vector<T> now() const { return {data(), data() + values.size()}; }

  std::vector<T> values;
  Memory memory;
};

/// R rows for kernels over runs; row r is make(n, seed + r).
template <class T, std::size_t R>
struct Runs {
  Runs(std::size_t n, std::uint64_t seed, auto make, Placement odd_rows = Placement::at_page_end) {
    for (std::size_t r = 0; r < R; ++r) {
      rows.emplace_back(make(n, seed + r), r % 2 == 0 ? Placement::at_page_end : odd_rows);
      read[r] = write[r] = rows[r].data();
    }
  }
  T at(std::size_t r, std::size_t i) const { return rows[r].values[i]; }

  std::vector<Guarded<T>> rows;
  const T* read[R];
  T* write[R];
};

/// n rows of `count` positions, one behind the other, for kernels across lanes.
template <class T>
struct Matrix : Guarded<T> {
  Matrix(norma::index_t n, norma::index_t count_of_positions, std::uint64_t seed, auto make)
      : Guarded<T>(make(static_cast<std::size_t>(n * count_of_positions), seed)), count(count_of_positions) {}
  norma::LaneRows<const T> read() const { return {this->data(), count}; }
  norma::LaneRows<T> write() const { return {this->data(), count}; }
  T at(norma::index_t i, norma::index_t p) const { return this->values[static_cast<std::size_t>(i * count + p)]; }

  norma::index_t count;
};

/// N different numbers for each of so many rows or positions; x_hat of a small integer is exact.
template <class T, std::size_t N>
struct Coefficients {
  Coefficients() {
    for (std::size_t k = 0; k < N; ++k) {
      mean[k] = static_cast<T>(k % 3);
      rstd[k] = T(1) + static_cast<T>(k % 7) / 8;
      shift[k] = static_cast<T>(k % 2) / 16;
    }
  }
  norma::Coefficients<T> all() const { return {mean, rstd, shift}; }
  T x_hat(T x, auto k) const { return (x - mean[k]) * rstd[k] + shift[k]; }

  alignas(64) T mean[N], rstd[N], shift[N];
};

/// Positions of tiles side by side.
template <class T, int Tiles>
inline constexpr std::size_t positions = static_cast<std::size_t>(Tiles* norma::tile_positions<T>);

/// Room for a Term's sums, N of each; `to` is what kernels take.
template <class Term, std::size_t N>
struct Sums {
  Sums() {
    for (std::size_t s = 0; s < Term::sums; ++s) to[s] = of[s];
  }

  alignas(64) double of[Term::sums][N];
  double* to[Term::sums];
};

}  // namespace norma_test
