// Copies: which tensors of a sweep are copied on their way, and how these share its memory.
#pragma once

#include <norma/core/extents.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Whether a tensor can be taken where it lies, whether a copy of it is wanted all the same, to be changed, and whether what is made of
/// this is put past the cache by a fusion; and where the copy begins in the memory for all.
struct Copy {
  bool lies = false, changes = false, targeted = false;
  index_t place = 0;

  bool present() const { return !lies || changes; }
};

/// Those of S tensors.
template <std::size_t S>
struct Copies {
  Copy of[S];
  index_t run = 0;  ///< elements that are copied at once, or shown to a fusion

  /// What is copied shares memory for S times `length` numbers; a fusion that needs no copies is shown more.
  void share(index_t length, bool is_fused) {
    constexpr index_t most = 2048;
    index_t count = 0;
    bool is_targeted = false;
    for (const Copy& copy : of) {
      count += copy.present();
      is_targeted = is_targeted || copy.targeted;
    }
    if (count == 0) {
      run = is_fused ? most : length;
      return;
    }
    // What goes past the cache is best made of little at once (measured: twice as much takes a third longer).
    run = is_targeted ? length : static_cast<index_t>(S) * length / count;
    count = 0;
    for (Copy& copy : of) copy.place = copy.present() ? run * count++ : 0;
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
