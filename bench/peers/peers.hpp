// What other libraries offer for the same cases. No header of theirs is needed to include this one: each peer lives in files of its own,
// which CMake adds, together with the definition tested here, where it finds the library.
#pragma once

#include "../support/problem.hpp"

#include <string>

namespace bench {

/// Queries and keys (batch, length, heads, head_dim): keys behind the queries, or both in a packed (batch, length, 3, heads, head_dim).
struct HeadProblem {
  index_t batch, length, heads, head_dim;
  bool packed;
};

#ifdef NORMA_BENCH_HAS_ONEDNN
inline constexpr bool has_onednn = true;
#else
inline constexpr bool has_onednn = false;
#endif

#ifdef NORMA_BENCH_HAS_TORCH
inline constexpr bool has_torch = true;
#else
inline constexpr bool has_torch = false;
#endif

/// Which norm of (n, c, s) a peer is asked for.
enum class ChannelNorm { batch, group, instance };

/// Running statistics of an inference case: made up, the same for everybody.
template <class T>
T running_mean(index_t channel) {
  return static_cast<T>(0.5 + 0.01 * static_cast<double>(channel % 7));
}
template <class T>
T running_variance(index_t channel) {
  return static_cast<T>(2.0 + 0.1 * static_cast<double>(channel % 5));
}

/// oneDNN: float only, one call to `execute` of a primitive made beforehand.
namespace onednn {
std::string version();
Work layer_norm_forward(const Problem& problem, const Operands<float>& o);
Work layer_norm_train(const Problem& problem, const Operands<float>& o);
Work layer_norm_backward(const Problem& problem, const Operands<float>& o);
Work batch_norm(Pass pass, const Problem& problem, const Operands<float>& o);
}  // namespace onednn

/// libtorch: its operators as a user calls them, in inference mode, with every allocation recycled.
namespace libtorch {
std::string version();
void use_one_thread();
template <class T>
Work layer_norm_forward(const Problem& problem, const Operands<T>& o);
template <class T>
Work layer_norm_backward(const Problem& problem, const Operands<T>& o);
template <class T>
Work rms_norm_forward(const Problem& problem, const Operands<T>& o);
template <class T>
Work rms_norm_backward(const Problem& problem, const Operands<T>& o);
Work channel_norm(ChannelNorm norm, Pass pass, const Problem& problem, const Operands<float>& o);
/// All of bfloat16, in contiguous memory.
void layer_norm_bf16(index_t rows, index_t length, const void* x, const void* weight, const void* bias, void* y);
/// layer_norm over the heads' last axis, of queries and of keys.
Work qk_norm(Pass pass, const HeadProblem& heads, const Problem& problem, const Operands<float>& o);
}  // namespace libtorch

/// Eigen: what a user would write by hand, array expressions in a loop over rows.
namespace eigen {
template <class T>
Work layer_norm_forward(const Problem& problem, const Operands<T>& o);
template <class T>
Work layer_norm_backward(const Problem& problem, const Operands<T>& o);
template <class T>
Work rms_norm_forward(const Problem& problem, const Operands<T>& o);
template <class T>
Work rms_norm_backward(const Problem& problem, const Operands<T>& o);
/// Forward only.
Work qk_norm(Pass pass, const HeadProblem& heads, const Problem& problem, const Operands<float>& o);
}  // namespace eigen

/// Plain loops of a careful programmer, each written for one layout, in the element type, compiled with -Ofast.
namespace loop {
template <class T>
Work layer_norm(Pass pass, const Problem& problem, const Operands<T>& o);
template <class T>
Work rms_norm(Pass pass, const Problem& problem, const Operands<T>& o);
Work channel_norm(ChannelNorm norm, Pass pass, const Problem& problem, const Operands<float>& o);
Work qk_norm(Pass pass, const HeadProblem& heads, const Problem& problem, const Operands<float>& o);

// What stands beside a norm: sum = a + b; y = max(y + b, 0); y = silu(y); y *= silu(gate); and rows to 8 bits, each with a scale.
void add(const float* a, const float* b, float* sum, index_t n);
void add_relu(const float* b, float* y, index_t n);
void silu(float* y, index_t n);
void times_silu(const float* gate, float* y, index_t n);
void quantize_rows(const float* v, signed char* q, float* scales, index_t rows, index_t length);
}  // namespace loop

}  // namespace bench
