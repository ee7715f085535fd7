// Fusion: what a call does with elements beyond the norm, while a sweep has copies of them: other streams that go in or come out, an
// activation, roundings. The engine knows when, doors know what.
#pragma once

#include <norma/core/execution.hpp>
#include <norma/engine/fused_tensors.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// How often a normalized number is rounded on its way to y.
enum class Rounding : unsigned char {
  once,             ///< x_hat * weight + bias is rounded to y's type
  normalized_first  ///< x_hat is rounded to x's type, its product with the weight and the sum with the bias to y's
};

/// What x + residual is rounded to `sum`'s type for (x's, if there is no sum).
enum class ResidualRounding : unsigned char {
  rounded,          ///< statistics and y
  exact,            ///< neither; only what is stored is rounded
  statistics_exact  ///< y alone
};

/// Which sweep of a call.
enum class Pass : unsigned char {
  probe,  ///< the first elements of what is folded next, for a pivot
  fold,
  refold,   ///< once more, at another scale
  measure,  ///< a map whose results are looked at and not stored
  map
};

/// The streams of a fused call, and what is done with them, seen by a call that does not know its arithmetic.
class AnyFusion {
 public:
  /// ShapeError unless streams and options fit `layer` and an x of these extents.
  virtual void check(const char* layer, const Extents& x, const Roles& roles) const = 0;
  /// Its streams join the operands of a call on an x of this rank, which may have an axis of one element more than they. weight_offset is
  /// added to the call's weights.
  virtual void join(Operands& operands, int rank, double weight_offset) const = 0;
  /// Whether one of its streams is a gate.
  virtual bool gates() const = 0;
  /// Whether kernels are to add to a backward's dx.
  virtual bool adds(const Operands& operands) const = 0;

 protected:
  ~AnyFusion() = default;
};

template <class T>
struct Numbers;
template <class A>
struct Block;

/// The same for arithmetic in A. Tensors are those of a sweep: x; x, y; dy, x; dy, x, dx.
template <class A>
class Fusion : public AnyFusion {
 public:
  /// What happens in a sweep: inputs that kernels see changed, outputs that are changed before they are stored, and of these the ones that
  /// may be changed where they are stored, for nobody wants what was there, and the ones whose last change puts them where a block says.
  struct Changes {
    StreamSet enters = 0, leaves = 0, in_place = 0, targeted = 0;
  };
  /// may_store: the fold of the call may write what the map then reads.
  virtual Changes changes(Pass pass, const Operands& operands, bool may_store) const = 0;
  /// Whether a fold leaves in stream_sum what a map then takes for x.
  virtual bool stores_sum(const Operands& operands, bool may_store) const = 0;
  /// Whether that is x + residual.
  virtual bool stores_plain_sum() const { return false; }
  /// Whether what happens to an element depends on those of the streams alone, and not on its cell, and wants no room beside them.
  virtual bool elementwise() const = 0;
  /// Whether stream_sum_grad is all there is in the map of a backward, and dx is none of its inputs.
  virtual bool adds_sum_grad_alone(const Operands&) const { return false; }
  /// From what is there to what kernels see of the inputs that enter.
  virtual void enter(const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) const = 0;
  /// Kernels have made the outputs of a map; none is stored. What is `targeted` goes to the block's targets.
  virtual void leave(const Block<A>& block, const Numbers<A>* made) const = 0;
  /// What a cell's number, 0 before, has become in a pass that measures the set at this place; the one that maps finds what is returned.
  virtual A measured(index_t place, A number) const = 0;

  FusedMemory& memory() const { return memory_; }

 protected:
  ~Fusion() = default;

 private:
  mutable FusedMemory memory_;
};

/// A call: who runs it, and what is fused with the norm.
class CallRef : public ExecutorRef {
 public:
  template <InPlaceOfExecutor E>
  CallRef(const E& executor) : ExecutorRef(executor) {}
  CallRef(const ExecutorRef& executor, const AnyFusion& fusion) : ExecutorRef(executor), fusion_(&fusion) {}

  /// A Fusion<A> of the call's arithmetic A; null where nothing is fused.
  const AnyFusion* fusion() const { return fusion_; }
  /// The same without it: for a pass of a call that is not the fused one.
  CallRef unfused() const { return CallRef(static_cast<const ExecutorRef&>(*this)); }

 private:
  const AnyFusion* fusion_ = nullptr;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
