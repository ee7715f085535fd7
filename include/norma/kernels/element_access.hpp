// ElementAccess: how elements of one type are copied and read, behind plain pointers: a program compiles the copies of those types that its
// tensors have.
#pragma once

#include <norma/core/extents.hpp>
#include <norma/core/scalar.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Copies of `rows` runs of `count` elements, `stride` apart. One behind the other in memory, as neighbours are, and `pitch` apart in the
/// tile; one run may lie anyhow.
template <class T>
struct TileCopies {
  void (*stage)(T* tile, index_t pitch, const void* source, index_t stride, index_t rows, index_t count, T scale);
  void (*unstage)(void* target, index_t stride, const T* tile, index_t pitch, index_t rows, index_t count);
};

/// Also of elements of a user's own type with the same bits.
struct ElementAccess {
  ElementType type;
  index_t bytes;
  void (*gather)(const void* source, index_t stride, const index_t* place, index_t n, double* column);
  TileCopies<float> in_float;
  TileCopies<double> in_double;

  template <class T>
  NORMA_INLINE const TileCopies<T>& in() const {
    if constexpr (sizeof(T) == sizeof(float)) {
      return in_float;
    } else {
      return in_double;
    }
  }
};

/// That of one element type: of the engine, see engine/entries.hpp.
template <ElementType E>
const ElementAccess& element_access();

/// What stands in an operand that is not there.
inline constexpr ElementAccess no_elements{ElementType::f32, static_cast<index_t>(sizeof(float)), nullptr, {}, {}};

}}  // namespace norma::NORMA_ISA_NAMESPACE
