// Which of the library's tables is in use, and the engine's entries, which go through it.
#include <atomic>
#include <cstdlib>
#include <string_view>

#include "table.hpp"

#if NORMA_HAS_AVX2 || NORMA_HAS_AVX512
#include <cpuid.h>
#endif

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

namespace {

#if NORMA_HAS_AVX2 || NORMA_HAS_AVX512
bool processor_has_avx2() {
  unsigned a = 0, b = 0, c = 0, d = 0;  // clang 14 knows no __builtin_cpu_supports("f16c")
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif
#if NORMA_HAS_AVX512
bool processor_has_avx512() {
  return processor_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/// Those of the library that this processor has, the best first, and their names.
struct Tables {
  const Table* table[5] = {};
  int count = 0;
  std::string_view names;

  Tables() {
#if NORMA_HAS_AVX512
    if (processor_has_avx512()) add(norma_table_avx512);
#endif
#if NORMA_HAS_AVX2
    if (processor_has_avx2()) add(norma_table_avx2);
#endif
#if NORMA_HAS_SSE2
    add(norma_table_sse2);
#endif
#if NORMA_HAS_NEON
    add(norma_table_neon);
#endif
#if NORMA_HAS_GENERIC
    add(norma_table_generic);
#endif
  }
  const Table* find(std::string_view name) const {
    for (int i = 0; i < count; ++i) {
      if (table[i]->name == name) return table[i];
    }
    return nullptr;
  }

 private:
  /// No std::string: a first call may be one that promises to allocate nothing.
  void add(const Table& one) {
    for (const std::string_view part : {std::string_view(count > 0 ? ", " : ""), std::string_view(one.name)}) {
      part.copy(text_ + names.size(), sizeof text_ - names.size());
      names = {text_, names.size() + part.size()};
    }
    table[count++] = &one;
  }
  char text_[64];
};
const Tables& tables() {
  static const Tables all;
  return all;
}

std::atomic<const Table*> table_in_use{nullptr};

/// The first call. Of threads that make it at the same time each chooses the same; what use_instruction_set() says meanwhile stays.
NORMA_COLD const Table& choose_table() {
  const char* const wanted = std::getenv("NORMA_ISA");
  const Table* best = tables().table[0];
  if (wanted != nullptr && *wanted != '\0') best = tables().find(wanted);
  if (best == nullptr) raise_shape_error("NORMA_ISA: ", wanted, " is not to be had here; what is: ", tables().names);
  const Table* none = nullptr;
  return table_in_use.compare_exchange_strong(none, best) ? *best : *none;
}
const Table& table() {
  const Table* const in_use = table_in_use.load(std::memory_order_acquire);
  return in_use != nullptr ? *in_use : choose_table();
}

}  // namespace

const char* instruction_set() { return table().name; }

std::string_view select_instruction_set(std::string_view name) {
  const Table* const wanted = tables().find(name);
  if (wanted == nullptr) return tables().names;
  table_in_use.store(wanted, std::memory_order_release);
  return {};
}

template <class A>
const RowOp<A>& own_row_op(int place) {
  return *table().in<A>().row_op[place];
}

template const RowOp<float>& own_row_op<float>(int);
template const RowOp<double>& own_row_op<double>(int);

// Where the library has one set, and nothing of it is hidden, its own functions have these names.
#if !NORMA_ONE_SET

template <ElementType E>
const ElementAccess& element_access() {
  return *table().element_access[static_cast<int>(E)];
}

template <class A, class U>
void normalize_operands(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x, const Operands& operands,
                        A weight_offset, bool streaming, const StatisticArrays& statistics, Buffer<std::byte>* scratch,
                        const ForwardHook<A>& hook) {
  table().of<A, U>().normalize_operands(executor, statistic, roles, x, operands, weight_offset, streaming, statistics, scratch, hook);
}
template <class A, class U>
void normalize_operands_backward(const CallRef& executor, const Statistic& statistic, const Roles& roles, const Extents& x,
                                 const Operands& operands, A weight_offset, bool streaming, const StatisticArrays& statistics,
                                 Buffer<std::byte>& scratch, const Reshape& reshape, Result result, const BackwardHook<A>& hook) {
  table().of<A, U>().normalize_operands_backward(executor, statistic, roles, x, operands, weight_offset, streaming, statistics, scratch,
                                                 reshape, result, hook);
}
template <class A, class U>
void apply_statistics_to_operands(const CallRef& executor, const Roles& roles, const Extents& x, const Operands& operands, A weight_offset,
                                  bool streaming, const GivenStatistics& given) {
  table().of<A, U>().apply_statistics_to_operands(executor, roles, x, operands, weight_offset, streaming, given);
}
template <class A, class U>
index_t normalize_rows(const DenseRows<A, U, 2>& rows, const Statistic& statistic, const StatisticArrays& statistics) {
  return table().of<A, U>().normalize_rows(rows, statistic, statistics);
}
template <class A, class U>
void differentiate_rows(const DenseRows<A, U, 3>& rows, const Statistic& statistic, const StatisticArrays& statistics,
                        Buffer<std::byte>& scratch, A* weight_grad, A* bias_grad) {
  table().of<A, U>().differentiate_rows(rows, statistic, statistics, scratch, weight_grad, bias_grad);
}
template <class A>
void scale_operand(const ExecutorRef& executor, const Extents& extents, const Operand& x, A factor, const Operand& y, bool streaming,
                   bool adds) {
  table().in<A>().scale_operand(executor, extents, x, factor, y, streaming, adds);
}
template <class A>
void read_pairs(const Extents& extents, const Operand& x, const Operand& y, const PairReader<A>& reader) {
  table().in<A>().read_pairs(extents, x, y, reader);
}
template <class A>
void enter_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) {
  table().in<A>().enter_forward(fusion, block, from, to);
}
template <class A>
void leave_forward(const ForwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made) {
  table().in<A>().leave_forward(fusion, block, made);
}
template <class A>
void enter_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<const A>* from, const Numbers<A>* to) {
  table().in<A>().enter_backward(fusion, block, from, to);
}
template <class A>
void leave_backward(const BackwardFusion<A>& fusion, const Block<A>& block, const Numbers<A>* made) {
  table().in<A>().leave_backward(fusion, block, made);
}

#endif

}}  // namespace norma::NORMA_ISA_NAMESPACE

#if !NORMA_ONE_SET
#include "instantiate.hpp"
#endif
