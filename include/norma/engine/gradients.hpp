// Parameter gradients: slots of rows grown from the shape alone, and how their partial sums become grad += ...
#pragma once

#include <norma/engine/layout.hpp>
#include <norma/kernels/backward_run.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

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

  /// After so many sets the sums in T are added to sums in double.
  static constexpr index_t flush_interval = 64;
};

/// Where the sums of sets are completed between the two sweeps: the first only leaves them here, in the order of statistics, the second
/// takes them from here, as those of so many elements.
struct SetTotals {
  double* g = nullptr;
  double* g_x_hat = nullptr;
  index_t elements = 0;  // 0: the first sweep

  bool present() const { return g != nullptr; }
  bool complete() const { return elements > 0; }
  NORMA_INLINE void read(index_t place, double& sum_g, double& sum_g_x_hat) const {
    sum_g = g[place];
    sum_g_x_hat = g_x_hat[place];
  }
  NORMA_INLINE void write(index_t place, double sum_g, double sum_g_x_hat) const {
    g[place] = sum_g;
    g_x_hat[place] = sum_g_x_hat;
  }
};

/// Working memory of one slot, per element of a set: `width` running sums in A (1, or lanes<A> where sets lie across lanes) and one in
/// double.
template <class A>
struct SlotSums {
  GradientRun<A> running{nullptr, nullptr};
  double* weight = nullptr;
  double* bias = nullptr;
  index_t padded = 0;
  index_t width = 1;
  bool fresh = true;

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
  static index_t padded_size(index_t set_size) { return (set_size + lanes<float> - 1) / lanes<float> * lanes<float>; }

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

/// Gradients of parameters that a whole set shares, one number per set.
struct SetGradients {
  double* weight = nullptr;
  double* bias = nullptr;

  bool present() const { return weight != nullptr; }
  NORMA_INLINE void put(index_t set, double weight_sum, double bias_sum) const {
    weight[set] = weight_sum;
    bias[set] = bias_sum;
  }
};

/// gradient += the sum of n partial ones; the element `offset` elements into the operand.
inline void add_gradients(const double* partial, index_t n, const Operand& gradient, index_t offset) {
  double sum = 0;
  for (index_t i = 0; i < n; ++i) sum += partial[i];
  with_element_type(gradient.type, [&]<class P>(P*) {
    P& to = static_cast<P*>(gradient.data)[offset];
    to = static_cast<P>(static_cast<double>(to) + sum);
  });
}

/// Adds `partial`, one number per element of a set in the order of `averaged`, to the gradient; elements that share a parameter are summed
/// in double first.
template <class P>
inline void scatter_to(const AxisList& averaged, Stream stream, const double* partial, P* gradient) {
  if (averaged.contiguous(stream)) {
    const index_t size = averaged.size();
    for (index_t i = 0; i < size; ++i) gradient[i] = static_cast<P>(static_cast<double>(gradient[i]) + partial[i]);
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
    double sum = from[0];
    for (index_t e = 1; e < sharing; ++e) sum += from[shared.offset(stream_x, e)];
    P& to = gradient[varying.offset(stream_y, p)];
    to = static_cast<P>(static_cast<double>(to) + sum);
  }
}

/// The same for the gradient `offset` elements into the operand.
inline void scatter_gradient(const AxisList& averaged, Stream stream, const double* partial, const Operand& gradient, index_t offset) {
  with_element_type(gradient.type, [&]<class P>(P*) { scatter_to(averaged, stream, partial, static_cast<P*>(gradient.data) + offset); });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
