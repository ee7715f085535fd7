// Sets as groups of registers take them, next to forbidden memory: as rows, or beside each other.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <norma/kernels/map.hpp>

#include "support/exact_data.hpp"
#include "support/guarded.hpp"

namespace norma_test {

using norma::index_t;
using Elements = testing::Types<float, double>;

/// Numbers beside a forbidden page, and what they were at first.
template <class T>
struct Guarded {
  explicit Guarded(std::vector<T> numbers, Placement placement = Placement::at_page_end)
      : values(std::move(numbers)), memory(values.size() * sizeof(T), placement) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() const { return reinterpret_cast<T*>(memory.data()); }

  std::vector<T> values;
  Memory memory;
};

/// As many sets as a group has, n elements each; make(count, seed) gives the numbers.
template <class T, class Group>
struct Sets {
  Sets(const Group& of_group, index_t elements, std::uint64_t seed, auto make) : n(elements), count(sets_of(of_group)) {
    const index_t blocks = Group::across_lanes ? 1 : count, each = Group::across_lanes ? n * count : n;
    for (index_t b = 0; b < blocks; ++b) {
      memory.emplace_back(make(static_cast<std::size_t>(each), seed + static_cast<std::uint64_t>(b)),
                          b % 2 == 0 ? Placement::at_page_end : Placement::at_page_start);
    }
  }
  static index_t sets_of(const Group& group) {
    if constexpr (Group::across_lanes) {
      return group.positions;
    } else {
      return Group::sets;
    }
  }
  auto tensor() const {
    typename Group::template Of<T> result;
    if constexpr (Group::across_lanes) {
      result = {memory[0].data(), count};
    } else {
      for (index_t r = 0; r < count; ++r) result.row[r] = memory[static_cast<std::size_t>(r)].data();
    }
    return result;
  }
  T at(index_t set, index_t i) const { return pick(set, i, false); }
  T now(index_t set, index_t i) const { return pick(set, i, true); }
  /// The elements of a set.
  std::vector<T> of(index_t set) const {
    std::vector<T> result;
    for (index_t i = 0; i < n; ++i) result.push_back(at(set, i));
    return result;
  }

  index_t n, count;
  std::vector<Guarded<T>> memory;

 private:
  T pick(index_t set, index_t i, bool current) const {
    const Guarded<T>& block = memory[static_cast<std::size_t>(Group::across_lanes ? 0 : set)];
    const auto place = static_cast<std::size_t>(Group::across_lanes ? i * count + set : i);
    return current ? block.data()[place] : block.values[place];
  }
};

/// f(group) for rows, alone and side by side, and for lanes: several registers, one, and parts of one. Of doubles half of them.
template <class T, class F>
void for_each_group(F f) {
  if constexpr (std::is_same_v<T, float>) {
    f(norma::Rows<T, 1>());
    f(norma::Lanes<T, 4>{4 * norma::pack_size<T>});
  }
  f(norma::Rows<T, 4>());
  for (index_t part = 1; part <= norma::pack_size<T>; ++part) f(norma::Lanes<T, 1>{part});
}

/// Different numbers for each set of a group; x_hat of a small integer is exact.
template <class T>
struct Coefficients {
  static constexpr std::size_t most = 64;
  Coefficients() {
    for (std::size_t k = 0; k < most; ++k) {
      mean[k] = static_cast<T>(k % 3);
      rstd[k] = T(1) + static_cast<T>(k % 7) / 8;
      shift[k] = static_cast<T>(k % 2) / 16;
      scale[k] = static_cast<T>(k % 5) + T(1);
      slope[k] = T(-3);
      offset[k] = static_cast<T>(k % 4);
    }
  }
  norma::Coefficients<T> forward() const { return {mean, rstd, shift}; }
  norma::DxCoefficients<T> backward() const { return {scale, slope, offset}; }
  T x_hat(T x, index_t k) const { return (x - mean[k]) * rstd[k] + shift[k]; }

  alignas(64) T mean[most], rstd[most], shift[most], scale[most], slope[most], offset[most];
};

/// Numbers per element, and a register's worth of one number.
template <class T>
struct PerElement {
  PerElement(index_t n, bool advances, std::uint64_t seed)
      : memory(small_integers<T>(static_cast<std::size_t>(advances ? n : 64), seed)), step(advances ? 1 : 0) {
    for (std::size_t i = 0; !advances && i < 64; ++i) memory.data()[i] = memory.values[0];
  }
  T at(index_t i) const { return memory.values[static_cast<std::size_t>(step * i)]; }
  norma::ElementWeight<T> plus(T offset) const { return {memory.data(), step, offset}; }

  Guarded<T> memory;
  index_t step;
};

}  // namespace norma_test
