// How cells lie in memory, in which order they are summed, and how many are swept at once.
#pragma once

#include <norma/kernels/grid.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// In which order the elements of a cell that lies across lanes are summed.
enum class Order : unsigned char {
  lanes,  ///< as if it were a row: in virtual lanes
  chain   ///< one after the other, for so few at a time that sums in double take them up
};

/// The chain of a virtual lane in a block.
inline constexpr index_t chain_length = block_length / lanes<float>;

/// How the elements of cells lie in all tensors of a sweep.
enum class Way : unsigned char {
  rows,   ///< one behind the other
  lanes,  ///< beside those of the neighbouring cells
  staged  ///< otherwise, or one behind the other in another type than the arithmetic's: copied block by block to rows
};

/// Cells across lanes are swept several elements at once where their tensors are no larger than this, or rows of them reach over pages:
/// several rows of one page confuse what fetches ahead. Measured: in a second-level cache up to twice as fast, beyond it up to three times
/// slower.
inline constexpr index_t several_rows_bytes = index_t{128} << 10;

/// Tensors that are at least so large lie in memory: what is swept next is asked for ahead. Measured: 1.2 times as fast.
inline constexpr index_t far_bytes = index_t{8} << 20;

}}  // namespace norma::NORMA_ISA_NAMESPACE
