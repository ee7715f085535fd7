// stage: copies runs of any element type to and from contiguous tiles of the arithmetic type.
#pragma once

#include <cstring>

#include <norma/kernels/element_access.hpp>
#include <norma/kernels/grid.hpp>
#include <norma/simd/convert.hpp>
#include <norma/simd/half.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A block of elements in L1, in the order of the reduction.
template <class T>
struct Tile {
  alignas(64) T element[block_length];
};

/// The element at p as a T. Byte by byte, so to speak: 16-bit elements may be objects of another type with the same bits.
template <class T, class E>
NORMA_INLINE T number_at(const E* p) {
  if constexpr (sizeof(E) == 2) {
    E element;
    std::memcpy(&element, p, sizeof(E));
    return static_cast<T>(static_cast<float>(element));
  } else {
    return static_cast<T>(*p);
  }
}
/// The element at p becomes the number, rounded once.
template <class T, class E>
NORMA_INLINE void put_number(E* p, T number) {
  if constexpr (sizeof(E) == 2) {
    const E element(sizeof(T) == 8 ? rounded_to_odd(static_cast<double>(number)) : static_cast<float>(number));
    std::memcpy(p, &element, sizeof(E));
  } else if constexpr (std::is_same_v<E, std::int8_t>) {
    // To the nearest integer, ties to even, within [-127, 127]; NaN is 0. Adding 1.5 * 2^(bits of the fraction) rounds.
    constexpr T magic = sizeof(T) == 4 ? T(0x1.8p23) : T(0x1.8p52);
    const T clamped = number > T(127) ? T(127) : number < T(-127) ? T(-127) : number == number ? number : T(0);
    *p = static_cast<E>((clamped + magic) - magic);
  } else {
    *p = static_cast<E>(number);
  }
}

/// Whether registers of T are loaded from and stored to elements of type E.
template <class T, class E>
inline constexpr bool has_registers = std::is_same_v<T, E> || (sizeof(E) == 2 && sizeof(T) == 4);

/// tile[i] = source[i * stride] * scale for i in [0, count). scale is a power of two.
template <class T, class E>
NORMA_INLINE void stage_run(T* tile, const E* source, index_t stride, index_t count, T scale) {
  index_t i = 0;
  if constexpr (has_registers<T, E>) {
    for (; stride == 1 && i + pack_size<T> <= count; i += pack_size<T>) store(tile + i, load(source + i) * Pack<T>(scale));
  }
  if (scale != T(1)) {
    for (; i < count; ++i) tile[i] = number_at<T>(source + i * stride) * scale;
    return;
  }
  for (; i + 4 <= count; i += 4) {  // compilers leave it one by one
    const E* const four = source + i * stride;
    const T a = number_at<T>(four), b = number_at<T>(four + stride), c = number_at<T>(four + 2 * stride),
            d = number_at<T>(four + 3 * stride);
    tile[i] = a;
    tile[i + 1] = b;
    tile[i + 2] = c;
    tile[i + 3] = d;
  }
  for (; i < count; ++i) tile[i] = number_at<T>(source + i * stride);
}

/// target[i * stride] = tile[i], rounded to the target's type.
template <class T, class E>
NORMA_INLINE void unstage_run(E* target, index_t stride, const T* tile, index_t count) {
  index_t i = 0;
  if constexpr (has_registers<T, E>) {
    for (; stride == 1 && i + pack_size<T> <= count; i += pack_size<T>) store(target + i, load(tile + i));
  } else if constexpr (std::is_same_v<E, std::int8_t> && sizeof(T) == 4) {
    for (; stride == 1 && i + pack_size<T> <= count; i += pack_size<T>) store_integers(target + i, load(tile + i));
  }
  for (; i < count; ++i) put_number(target + i * stride, tile[i]);
}

/// to[i] = from[i] for i in [0, n), past the cache where whole registers lie so.
template <class T>
inline void copy_past_cache(T* to, const T* from, index_t n) {
  index_t i = elements_to_alignment<pack_size<T>>(to, n);
  for (index_t k = 0; k < i; ++k) to[k] = from[k];
  for (; i + pack_size<T> <= n; i += pack_size<T>) store_streaming(to + i, load(from + i));
  for (; i < n; ++i) to[i] = from[i];
}

/// column[i] = source[place[i] * stride], widened; the column reaches to whole registers, which are filled.
template <class E>
inline void gather(const E* source, index_t stride, const index_t* place, index_t n, double* column) {
  constexpr index_t W = pack_size<double>;
  index_t i = 0;
  if constexpr (sizeof(E) > 2) {
    for (; stride == 1 && i + W <= n && consecutive(place + i, W); i += W) store(column + i, load_doubles(source + place[i]));
  }
  for (; i < n; ++i) column[i] = number_at<double>(source + place[i] * stride);
  for (; i % W != 0; ++i) column[i] = 0;
}

/// Copies of `rows` runs; one run may lie anyhow, several are neighbours.
template <class T, class E>
inline void stage_rows(T* tile, index_t pitch, const void* source, index_t stride, index_t rows, index_t count, T scale) {
  const E* const from = static_cast<const E*>(source);
  if (rows == 1) return stage_run(tile, from, stride, count, scale);
  for (index_t i = 0; i < count; ++i) {
    for (index_t r = 0; r < rows; ++r) tile[r * pitch + i] = number_at<T>(from + i * stride + r) * scale;
  }
}
template <class T, class E>
inline void unstage_rows(void* target, index_t stride, const T* tile, index_t pitch, index_t rows, index_t count) {
  E* const to = static_cast<E*>(target);
  if (rows == 1) return unstage_run(to, stride, tile, count);
  for (index_t i = 0; i < count; ++i) {
    for (index_t r = 0; r < rows; ++r) put_number(to + i * stride + r, tile[r * pitch + i]);
  }
}
template <class E>
inline void gather_elements(const void* source, index_t stride, const index_t* place, index_t n, double* column) {
  gather(static_cast<const E*>(source), stride, place, n, column);
}

template <class E>
inline constexpr ElementAccess access_of{element_type_of<E>,
                                         static_cast<index_t>(sizeof(E)),
                                         &gather_elements<E>,
                                         {&stage_rows<float, E>, &unstage_rows<float, E>},
                                         {&stage_rows<double, E>, &unstage_rows<double, E>}};

template <ElementType E>
inline const ElementAccess& element_access() {
  return access_of<
      std::conditional_t<E == ElementType::f32, float,
                         std::conditional_t<E == ElementType::f64, double,
                                            std::conditional_t<E == ElementType::f16, float16,
                                                               std::conditional_t<E == ElementType::bf16, bfloat16, std::int8_t>>>>>;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
