// Groups: registers that step through memory together. One loop for each sweep serves all of them.
#pragma once

#include <norma/kernels/grid.hpp>
#include <norma/simd/half.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Every register of a step is full.
struct Full {};
/// Only the first `left` of the elements that the registers of a step hold, from its first part on.
struct Part {
  index_t left;
};
/// Only the first register of a step, or its first `count` elements.
struct One {};
struct PartOfOne {
  int count;
};

/// How many elements the register `part` of a step holds.
template <class T>
NORMA_INLINE int count_of(const Part& mask, int part) {
  return lanes_left<pack_size<T>>(mask.left - part * pack_size<T>);
}
template <class T>
NORMA_INLINE bool has(Full, int) {
  return true;
}
template <class T>
NORMA_INLINE bool has(const Part& mask, int part) {
  return count_of<T>(mask, part) > 0;
}
template <class T>
NORMA_INLINE constexpr bool has(One, int part) {
  return part == 0;
}
template <class T>
NORMA_INLINE constexpr bool has(PartOfOne, int part) {
  return part == 0;
}
// Registers of T from and to elements of type E. Masked stores are slow on some processors: registers of a part that are whole go unmasked.
template <class T, class E>
NORMA_INLINE Pack<T> load(Full, int, const E* p) {
  return load(p);
}
template <class T, class E>
NORMA_INLINE Pack<T> load(const Part& mask, int part, const E* p) {
  const int count = count_of<T>(mask, part);
  return count == pack_size<T> ? load(p) : load_first(p, count);
}
template <class T, class E>
NORMA_INLINE void store(Full, int, E* p, const Pack<T>& v) {
  store(p, v);
}
template <class T, class E>
NORMA_INLINE void store(const Part& mask, int part, E* p, const Pack<T>& v) {
  const int count = count_of<T>(mask, part);
  if (count == pack_size<T>) {
    store(p, v);
  } else {
    store_first(p, v, count);
  }
}
template <class T, class E>
NORMA_INLINE Pack<T> load(One, int, const E* p) {
  return load(p);
}
template <class T, class E>
NORMA_INLINE void store(One, int, E* p, const Pack<T>& v) {
  store(p, v);
}
template <class T, class E>
NORMA_INLINE Pack<T> load(const PartOfOne& mask, int, const E* p) {
  return load_first(p, mask.count);
}
template <class T, class E>
NORMA_INLINE void store(const PartOfOne& mask, int, E* p, const Pack<T>& v) {
  store_first(p, v, mask.count);
}
/// Clears the lanes beyond the mask, whatever was computed there.
template <class T>
NORMA_INLINE Pack<T> keep(Full, int, const Pack<T>& v) {
  return v;
}
template <class T>
NORMA_INLINE Pack<T> keep(const Part& mask, int part, const Pack<T>& v) {
  return keep_first(v, count_of<T>(mask, part));
}

/// R sets that lie as rows, their elements along the registers, lanes<T> of each row a step: a number per set is the same in a whole row, a
/// number per element lies along it. Element i is in virtual lane i mod lanes<T>.
template <class T, int R>
struct Rows {
  static constexpr bool across_lanes = false;
  static constexpr int registers = R * lane_packs<T>;
  static constexpr int sets = R;
  static constexpr int elements = lane_packs<T>;  ///< registers that numbers per element take
  static constexpr int part(int j) { return j % elements; }
  static constexpr int element(int j) { return j % elements; }

  template <class U>
  struct Of {
    U* row[R];
    NORMA_INLINE U* at(int j, index_t i) const { return row[j / elements] + i + j % elements * pack_size<T>; }
  };

  NORMA_INLINE static Pack<T> of_set(const T* numbers, int j) { return Pack<T>(numbers[j / elements]); }
  /// Numbers per element are `step` apart: 1, or 0 for lanes<T> times the same.
  template <class Mask>
  NORMA_INLINE static Pack<T> of_element(const Mask& mask, const T* numbers, index_t step, index_t i, int e) {
    return load<T>(mask, e, numbers + step * i + e * pack_size<T>);
  }
  /// Where running sums per element lie, one for each.
  NORMA_INLINE static index_t sums_of_element(index_t i) { return i; }

  /// f(i, mask) for elements [0, n), those of a sum: each once.
  template <class F>
  NORMA_INLINE void each_step(index_t n, F&& f) const {
    index_t i = 0;
    for (; i + lanes<T> <= n; i += lanes<T>) f(i, Full());
    if (i < n) f(i, Part{n - i});
  }
  /// The same for what is stored, the first `head` elements apart. Where elements may be stored twice, whole registers overlap: masked
  /// stores are slow on some processors.
  template <class F>
  NORMA_INLINE void each_step_of_map(index_t n, index_t head, bool twice, F&& f) const {
    constexpr index_t W = pack_size<T>;
    twice = twice && n >= W;
    const auto part = [&](index_t i, index_t overlapping, index_t count) NORMA_INLINE_LAMBDA {
      if (count == 0) return;
      if (twice) {
        f(overlapping, One());
      } else {
        f(i, PartOfOne{static_cast<int>(count)});
      }
    };
    part(0, 0, head);
    index_t i = head;
    for (; i + lanes<T> <= n; i += lanes<T>) f(i, Full());
    for (; i + W <= n; i += W) f(i, One());
    part(i, n - W, n - i);
  }
};

/// The same E registers of elements of one row after the other: numbers per element stay where they are, those of a set come with its row.
/// The mask is that of every step: all elements, those of one register, or its first ones.
template <class T, int E, class Mask>
struct Column {
  static constexpr bool across_lanes = false;
  static constexpr int registers = E;
  static constexpr int elements = E;
  static constexpr int part(int j) { return j; }
  static constexpr int element(int j) { return j; }

  index_t rows;
  Mask mask;

  template <class U>
  struct Of {
    U* first;
    const index_t* offset;  ///< of each row
    NORMA_INLINE U* at(int j, index_t row) const { return first + offset[row] + j * pack_size<T>; }
  };
  /// One row of them: a store could change offsets as far as a compiler knows, which would load them again for every register.
  template <class U>
  struct OfRow {
    U* row;
    NORMA_INLINE U* at(int j, index_t) const { return row + j * pack_size<T>; }
  };

  NORMA_INLINE static Pack<T> of_set(const T* numbers, int) { return Pack<T>(*numbers); }
  /// Numbers per element are `step` apart: 1, or 0 for lanes<T> times the same.
  NORMA_INLINE Pack<T> of_element(const Mask&, const T* numbers, index_t step, index_t, int e) const {
    const index_t beyond = e / lane_packs<T> * lanes<T>;
    return load<T>(mask, e, numbers + step * beyond + e % lane_packs<T> * pack_size<T>);
  }
  template <class F>
  NORMA_INLINE void each_step_of_map(index_t, index_t, bool, F&& f) const {
    for (index_t row = 0; row < rows; ++row) f(row, mask);
  }
};
/// Whether a step of a group is another set, not further elements of the same ones.
template <class Group>
inline constexpr bool steps_over_sets = false;
template <class T, int E, class Mask>
inline constexpr bool steps_over_sets<Column<T, E, Mask>> = true;
/// What a step t of a group sees of one of its tensors.
template <class Group, class X>
NORMA_INLINE auto of_step(const X& x, index_t t) {
  if constexpr (steps_over_sets<Group>) {
    return typename Group::template OfRow<std::remove_pointer_t<decltype(x.at(0, t))>>{x.at(0, t)};
  } else {
    return x;
  }
}

/// K registers of neighbouring sets, one element of each a step: a number per set is a lane, a number per element is the same in all. A
/// single register may hold fewer sets: `positions`.
template <class T, int K>
struct Lanes {
  static constexpr bool across_lanes = true;
  static constexpr int registers = K;
  static constexpr int sets = K * pack_size<T>;
  static constexpr int elements = 1;
  static constexpr int part(int j) { return j; }
  static constexpr int element(int) { return 0; }

  index_t positions;
  index_t element_step = 1;  ///< elements from one step to the next

  template <class U>
  struct Of {
    U* first;
    index_t stride;
    NORMA_INLINE U* at(int j, index_t t) const { return first + t * stride + j * pack_size<T>; }
    /// Elements t, t + step, ...
    NORMA_INLINE Of every(index_t t, index_t step) const { return {first + t * stride, step * stride}; }
  };

  NORMA_INLINE static Pack<T> of_set(const T* numbers, int j) { return load(numbers + j * pack_size<T>); }
  template <class Mask>
  NORMA_INLINE Pack<T> of_element(const Mask&, const T* numbers, index_t step, index_t t, int) const {
    return Pack<T>(numbers[step * t * element_step]);
  }
  /// lanes<T> for each element: set p of some cells is added in lane p mod lanes<T>, of which a group knows the first.
  NORMA_INLINE index_t sums_of_element(index_t t) const { return t * element_step * lanes<T>; }

  template <class F>
  NORMA_INLINE void each_step(index_t n, F&& f) const {
    for (index_t t = 0; t < n; ++t) {
      if constexpr (K > 1) {
        f(t, Full());
      } else {
        f(t, Part{positions});
      }
    }
  }
  template <class F>
  NORMA_INLINE void each_step_of_map(index_t n, index_t, bool, F&& f) const {
    each_step(n, std::forward<F>(f));
  }
};

/// K registers of neighbouring sets, or, not Whole, the first positions of one, and so many elements of each. What goes along whole
/// rows of sets with these reads and writes memory in its order, and is faster in every cache than going down columns.
template <class T, int K, int Elements, bool Whole>
struct Strip : Lanes<T, K> {
  template <class F>
  NORMA_INLINE void each_step(index_t, F&& f) const {
    unroll<Elements>([&](auto t) NORMA_INLINE_LAMBDA {
      if constexpr (Whole) {
        f(index_t{t}, Full());
      } else {
        f(index_t{t}, Part{this->positions});
      }
    });
  }
  template <class F>
  NORMA_INLINE void each_step_of_map(index_t n, index_t, bool, F&& f) const {
    each_step(n, std::forward<F>(f));
  }
};

/// Calls f(std::true_type) or f(std::false_type).
template <class F>
NORMA_INLINE void with_bool(bool value, F&& f) {
  if (value) {
    f(std::true_type());
  } else {
    f(std::false_type());
  }
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
