// The list of cases, and what is done with each: timing and verifying.
#include "registry.hpp"

#include "operands.hpp"

#include <benchmark/benchmark.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <regex>

namespace bench {
namespace {

std::vector<void (*)()>& registrations() {
  static std::vector<void (*)()> list;
  return list;
}

template <class T>
std::vector<Case<T>>& case_list() {
  static std::vector<Case<T>> list;
  return list;
}

const char* name_of(Pass pass) { return pass == Pass::forward ? "forward" : pass == Pass::train ? "train" : "backward"; }

/// Bytes that must move: x read and y written; backward: x and dy read, dx written. Parameters and statistics do not count.
template <class T>
std::int64_t bytes_of(const Case<T>& c, const Impl<T>& impl) {
  const int tensors = c.pass == Pass::backward && !impl.name.starts_with("copy") ? 3 : 2;
  return tensors * static_cast<std::int64_t>(impl.element_bytes) * c.problem.size();
}

using Copy = void (*)(void* to, const void* from, std::size_t bytes);

void copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

#ifdef __SSE2__
/// Whole lines past the caches, which saves reading what is overwritten. Operands begin at a cache line.
void copy_streaming(void* to, const void* from, std::size_t bytes) {
  const std::size_t whole = bytes / 64 * 64;
  for (std::size_t i = 0; i < whole; i += 64)
    for (std::size_t k = i; k < i + 64; k += sizeof(__m128i))
      _mm_stream_si128(reinterpret_cast<__m128i*>(static_cast<char*>(to) + k),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(static_cast<const char*>(from) + k)));
  _mm_sfence();
  std::memcpy(static_cast<char*>(to) + whole, static_cast<const char*>(from) + whole, bytes - whole);
}

/// Smaller copies lose by it.
constexpr index_t least_streaming_bytes = 4 << 20;
#endif

template <class T>
Impl<T> copy_impl(const char* name, Pass pass, Copy run) {
  return {name,
          [pass, run](const Problem& problem, const Operands<T>& o) {
            T* to = pass == Pass::backward ? o.dx : o.y;
            const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(problem.size());
            return Work{[run, from = o.x, to, bytes] { run(to, from, bytes); }, {}};
          },
          false};
}

/// Caches, branch predictors, the peers' lazily made kernels and allocations: five milliseconds, and at least one run.
void warm_up(const Work& work) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  do work.run();
  while (Clock::now() - start < std::chrono::milliseconds(5));
}

template <class T>
void time(benchmark::State& state, const Case<T>& c, const Impl<T>& impl) {
  const Work work = impl.make(c.problem, operands<T>(c.problem));
  warm_up(work);
  for (auto _ : state) {  // the clock is read before the first and after the last of many iterations: 50 ms of them, however short one is
    work.run();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes_of(c, impl));
}

template <class T>
void register_cases() {
  for (const Case<T>& c : cases<T>()) reserve_operands<T>(c.problem);
  for (const Case<T>& c : cases<T>())
    for (const Impl<T>& impl : c.impls)
      benchmark::RegisterBenchmark((c.name() + "/" + impl.name).c_str(), [&c, &impl](benchmark::State& state) {
        time(state, c, impl);
      })->Unit(benchmark::kMicrosecond);
}

// What a pass writes, in one vector for each tensor.
template <class T>
using Results = std::vector<std::vector<T>>;

template <class T>
Results<T> results_of(const Case<T>& c, const Maker<T>& make) {
  const Operands<T> o = operands<T>(c.problem);
  const auto size = static_cast<std::size_t>(c.problem.size());
  const auto parameters = static_cast<std::size_t>(c.problem.c);
  std::fill_n(c.pass == Pass::backward ? o.dx : o.y, size, T(-77));
  const Work work = make(c.problem, o);
  std::fill_n(o.weight_grad, parameters, T(0));  // gradients may be accumulated
  std::fill_n(o.bias_grad, parameters, T(0));
  work.run();
  if (work.collect) work.collect();
  if (c.pass != Pass::backward) return {{o.y, o.y + size}};
  return {{o.dx, o.dx + size}, {o.weight_grad, o.weight_grad + parameters}, {o.bias_grad, o.bias_grad + parameters}};
}

/// Largest difference of any tensor, in units of that tensor's largest element. NaN counts as infinitely wrong.
template <class T>
double worst_error(const Results<T>& actual, const Results<T>& expected) {
  double worst = 0;
  for (std::size_t tensor = 0; tensor < expected.size(); ++tensor) {
    double difference = 0, scale = 0;
    for (std::size_t i = 0; i < expected[tensor].size(); ++i) {
      const double d = std::abs(static_cast<double>(actual[tensor][i]) - static_cast<double>(expected[tensor][i]));
      difference = std::isnan(d) ? HUGE_VAL : std::max(difference, d);
      scale = std::max(scale, std::abs(static_cast<double>(expected[tensor][i])));
    }
    if (difference > 0) worst = std::max(worst, difference / scale);
  }
  return worst;
}

template <class T>
bool verify(const std::regex& filter) {
  bool all_right = true;
  for (const Case<T>& c : cases<T>()) {
    Results<T> expected;
    for (const Impl<T>& impl : c.impls) {
      const std::string name = c.name() + "/" + impl.name;
      if (!impl.comparable || !std::regex_search(name, filter)) continue;
      if (expected.empty()) expected = results_of(c, c.reference);
      const double error = worst_error(results_of(c, impl.make), expected);
      const bool right = error <= impl.agreement;
      std::printf("%-6s %-60s %.1e\n", right ? "ok" : "WRONG", name.c_str(), error);
      all_right = all_right && right;
    }
  }
  return all_right;
}

}  // namespace

Problem rows(index_t n, index_t c) { return {n, c, 1, std::to_string(n) + "x" + std::to_string(c), ""}; }

Problem nchw(index_t n, index_t c, index_t height, index_t width) {
  const auto text = [](index_t extent) { return std::to_string(extent); };
  return {n, c, height * width, text(n) + "x" + text(c) + "x" + text(height) + "x" + text(width), "nchw"};
}

Problem nhwc(index_t n, index_t c, index_t height, index_t width) {
  Problem p = nchw(n, c, height, width);
  p.layout = "nhwc";
  return p;
}

template <class T>
std::string Case<T>::name() const {
  const std::string start = layer + "/" + name_of(pass) + "/" + dtype_name<T>() + "/" + problem.shape;
  return problem.layout.empty() ? start : start + "/" + problem.layout;
}

template <class T>
void add(Case<T> c) {
  c.impls.push_back(copy_impl<T>("copy", c.pass, copy));
#ifdef __SSE2__
  if (c.problem.size() * static_cast<index_t>(sizeof(T)) >= least_streaming_bytes)
    c.impls.push_back(copy_impl<T>("copy_streaming", c.pass, copy_streaming));
#endif
  case_list<T>().push_back(std::move(c));
}

template <class T>
const std::vector<Case<T>>& cases() {
  return case_list<T>();
}

Registration::Registration(void (*enrol)()) { registrations().push_back(enrol); }

void register_benchmarks() {
  for (const auto enrol : registrations()) enrol();
  register_cases<float>();
  register_cases<double>();
}

bool verify_all(const std::string& filter) {
  const std::regex pattern(filter);
  const bool right_f32 = verify<float>(pattern);
  const bool right_f64 = verify<double>(pattern);
  return right_f32 && right_f64;
}

template struct Case<float>;
template struct Case<double>;
template const std::vector<Case<float>>& cases();
template const std::vector<Case<double>>& cases();
template void add<float>(Case<float>);
template void add<double>(Case<double>);

}  // namespace bench
