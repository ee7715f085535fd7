// FusedTensors: what a fused call knows of all its tensors, and where that is kept.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

#include <norma/engine/layout.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The operands of a fused call, or of a slice of it, and their layout.
struct FusedTensors {
  Operands operands;
  Layout layout;
};

/// Where these are: with the fusion, so that calls without one have no stack taken for them, and nothing is allocated where a thread has
/// one at a time. Others take memory.
class FusedMemory {
 public:
  FusedTensors* take(const FusedTensors& tensors) {
    return taken_.exchange(true) ? new FusedTensors(tensors) : new (bytes_) FusedTensors(tensors);
  }
  void give_back(FusedTensors* tensors) {
    if (static_cast<void*>(tensors) == bytes_) {
      taken_ = false;
    } else {
      delete tensors;
    }
  }

 private:
  std::atomic<bool> taken_ = false;
  alignas(FusedTensors) std::byte bytes_[sizeof(FusedTensors)];
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
