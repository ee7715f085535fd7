// Parameter gradients: slots of rows grown from the shape alone, and how their partial sums become grad += ...
#pragma once

#include <norma/engine/piece.hpp>
#include <norma/kernels/fold.hpp>
#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Sets of one gradient group that share a slot. Slots are summed independently and combined in order, so neither their number nor their
/// borders may depend on threads.
struct SlotGrid {
  index_t sets_per_slot;
  index_t slots;

  SlotGrid(index_t sets, index_t set_size) {
    const index_t most = set_size <= 8192 ? 32 : 8;
    const index_t even = (sets + most - 1) / most;
    sets_per_slot = (even + flush_interval - 1) / flush_interval * flush_interval;
    slots = sets == 0 ? 0 : (sets + sets_per_slot - 1) / sets_per_slot;
  }

  static constexpr index_t flush_interval = sets_per_flush;
};

/// Working memory of one slot, per element of a set: `width` running sums in A (1, or lanes<A> where sets lie across lanes) and one in
/// double.
template <class A>
struct SlotSums {
  GradientRun<A> running;
  double* weight = nullptr;
  double* bias = nullptr;
  index_t padded = 0;
  index_t width = 1;
  bool fresh = true;

  /// Runs reach to whole steps of a row.
  static index_t padded_size(index_t set_size) { return (set_size + lanes<float> - 1) / lanes<float> * lanes<float>; }
  static index_t bytes(index_t set_size, index_t width) {
    return padded_size(set_size) * (2 * width * static_cast<index_t>(sizeof(A)) + 2 * static_cast<index_t>(sizeof(double)));
  }

  SlotSums(index_t set_size, index_t width_of_sum, std::byte* memory) : padded(padded_size(set_size)), width(width_of_sum) {
    weight = reinterpret_cast<double*>(memory);
    bias = weight + padded;
    running.weight = reinterpret_cast<A*>(bias + padded);
    running.bias = running.weight + padded * width;
  }

  void clear_running() {
    for (index_t i = 0; i < 2 * padded * width; ++i) running.weight[i] = A(0);
  }

  /// Adds the sums in A to those in double (the first time: replaces them) and clears them.
  void flush() {
    for (index_t i = 0; i < 2 * padded; i += pack_size<double>) {
      const Pack<double> sum = running_sums(i);
      store(weight + i, fresh ? sum : load(weight + i) + sum);
    }
    fresh = false;
    clear_running();
  }

 private:
  Pack<double> running_sums(index_t i) const {
    if (width == 1) return load_doubles(running.weight + i);
    alignas(64) double sums[pack_size<double>];
    for (index_t e = 0; e < pack_size<double>; ++e) {
      LaneSum<A> sum;
      for (int k = 0; k < lane_packs<A>; ++k) sum.packs[k] = load(running.weight + (i + e) * width + k * pack_size<A>);
      sums[e] = static_cast<double>(fold_tree(sum));
    }
    return load(sums);
  }
};

/// Sums per cell of all of x, from which gradients of parameters are made that do not vary within a cell: sum dy, and sum dy * x_hat. They
/// lie row-major in the axes of x along which cells differ.
struct CellSums {
  double* dy = nullptr;
  double* dy_x_hat = nullptr;
  AxisList axes;
  Extents strides;
  index_t cells = 1;
  bool several = false;  ///< of each of them: cells abreast share a place

  CellSums() = default;
  CellSums(const Extents& x, const Roles& roles, const Operands& operands) : strides(x), several(roles.abreast > 1) {
    for (int a = x.size(); a-- > 0;) {
      const bool differs = roles.keeps(a) || roles.merges(a);
      strides[a] = differs ? cells : 0;
      if (differs) cells *= x[a];
    }
    for (int a = 0; a < x.size(); ++a) {
      if (strides[a] == 0) continue;
      Axis& axis = axes.axis[axes.count++];
      axis.extent = x[a];
      for (int s = 0; s < stream_count; ++s) axis.stride[s] = operands.of[s].present() ? operands.of[s].strides[a] : 0;
    }
  }

  bool present() const { return dy != nullptr; }
  void use(double* memory) {
    dy = memory;
    dy_x_hat = memory + cells;
    for (index_t i = 0; several && i < 2 * cells; ++i) memory[i] = 0;
  }
  /// The table as a stream of x's.
  Operand operand() const {
    Operand result;
    result.data = dy;
    result.access = &element_access<ElementType::f64>();
    result.strides = strides;
    return result;
  }
  NORMA_INLINE void put(index_t cell, double sum_dy, double sum_dy_x_hat) const {
    dy[cell] = several ? dy[cell] + sum_dy : sum_dy;
    dy_x_hat[cell] = several ? dy_x_hat[cell] + sum_dy_x_hat : sum_dy_x_hat;
  }
};

/// of(first) + ... + of(last - 1) by halves: no sum has many terms, however many there are.
template <class Of>
inline double tree_sum(index_t first, index_t last, const Of& of) {
  if (last - first > 16) {
    const index_t middle = first + (last - first) / 2;
    return tree_sum(first, middle, of) + tree_sum(middle, last, of);
  }
  double sum = of(first);
  for (index_t i = first + 1; i < last; ++i) sum += of(i);
  return sum;
}

/// Adds `partial`, one number per element of a set in the order of `averaged`, to the gradient; elements that share a parameter are summed
/// in double first.
template <class P>
inline void scatter_to(const AxisList& averaged, Stream stream, const double* partial, P* gradient) {
  if (averaged.contiguous(stream)) {
    const index_t size = averaged.size();
    index_t i = 0;
    for (; i + pack_size<double> <= size; i += pack_size<double>)
      store_doubles(gradient + i, load_doubles(gradient + i) + load(partial + i));
    for (; i < size; ++i) gradient[i] = static_cast<P>(static_cast<double>(gradient[i]) + partial[i]);
    return;
  }
  AxisList varying, shared;
  index_t linear[max_axes];
  index_t inner = 1;
  for (int a = averaged.count - 1; a >= 0; --a) {
    linear[a] = inner;
    inner *= averaged.axis[a].extent;
  }
  // In both lists stream_x stands for the position in `partial`, stream_y for the position in the gradient.
  for (int a = 0; a < averaged.count; ++a) {
    const index_t stride = averaged.axis[a].stride[stream];
    AxisList& list = stride != 0 ? varying : shared;
    Axis& axis = list.axis[list.count++];
    axis.extent = averaged.axis[a].extent;
    axis.stride[stream_x] = linear[a];
    axis.stride[stream_y] = stride;
  }
  const index_t parameters = varying.size(), sharing = shared.size();
  for (index_t p = 0; p < parameters; ++p) {
    const double* from = partial + varying.offset(stream_x, p);
    const double sum = tree_sum(0, sharing, [&](index_t e) { return from[shared.offset(stream_x, e)]; });
    P& to = gradient[varying.offset(stream_y, p)];
    to = static_cast<P>(static_cast<double>(to) + sum);
  }
}

/// The same for the gradient `offset` elements into the operand.
inline void scatter_gradient(const AxisList& averaged, Stream stream, const double* partial, const Operand& gradient, index_t offset) {
  with_parameter_type(gradient.access->type,
                      [&]<class P>(P*) { scatter_to(averaged, stream, partial, static_cast<P*>(gradient.data) + offset); });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
