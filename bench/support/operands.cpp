// One lazily filled buffer for each operand: which element has which value depends on nothing but its index.
#include "operands.hpp"

#include <norma/core/half_precision.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

namespace bench {
namespace {

constexpr std::size_t page_bytes = 4096;

// Buffers that begin at the same offset in a page make every store collide with the loads of the same index (the processor
// compares 12 address bits first), which would measure the allocator's habits. This step keeps a store almost a page away from the
// load that comes after it, also for rows whose length is a multiple of 1 KB.
constexpr std::size_t offset_step = 3648;
static_assert(offset_step % 64 == 0);

std::size_t reserve_count = 0;

/// Address space for `count` elements; pages are touched by `fill` only.
template <class T>
class Buffer {
 public:
  Buffer(std::size_t count, double mean, double sigma, unsigned seed)
      : mean_(mean), sigma_(sigma), seed_(seed), offset_(reserve_count++ * offset_step % page_bytes) {
    const std::size_t bytes = (count * sizeof(T) + offset_ + 2 * page_bytes) / page_bytes * page_bytes;
    memory_ = static_cast<unsigned char*>(std::aligned_alloc(page_bytes, bytes));
    if (memory_ == nullptr) throw std::bad_alloc();
    data_ = reinterpret_cast<T*>(memory_ + offset_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(memory_); }

  T* filled(std::size_t count) {
    if (pattern_.empty()) make_pattern();
    while (filled_ < count) {
      const std::size_t phase = filled_ % pattern_.size();
      const std::size_t part = std::min(count - filled_, pattern_.size() - phase);
      std::copy_n(pattern_.data() + phase, part, data_ + filled_);
      filled_ += part;
    }
    return data_;
  }

 private:
  // A prime period, so that no two rows of a shape in use are alike; long enough to hold no structure, short enough to draw quickly.
  void make_pattern() {
    pattern_.resize(200'003);
    std::mt19937 bits(seed_);
    std::normal_distribution<double> normal(mean_, sigma_);
    for (T& value : pattern_) {
      const double drawn = sigma_ == 0 ? mean_ : normal(bits);
      if constexpr (sizeof(T) == 2)
        value = static_cast<T>(static_cast<float>(drawn));
      else
        value = static_cast<T>(drawn);
    }
  }

  double mean_, sigma_;
  unsigned seed_;
  std::size_t offset_;
  unsigned char* memory_ = nullptr;
  T* data_ = nullptr;
  std::size_t filled_ = 0;
  std::vector<T> pattern_;
};

template <class T>
struct Largest {
  static inline std::size_t size = 0;
  static inline std::size_t parameters = 0;
};

template <class T>
struct Store {
  Buffer<T> x{Largest<T>::size, 0.5, 1.5, 1};
  Buffer<T> y{Largest<T>::size, 0, 0, 0};
  Buffer<T> dy{Largest<T>::size, 0, 1, 2};
  Buffer<T> dx{Largest<T>::size, 0, 0, 0};
  Buffer<T> weight{Largest<T>::parameters, 1, 0.25, 3};
  Buffer<T> bias{Largest<T>::parameters, 0, 0.25, 4};
  Buffer<T> weight_grad{Largest<T>::parameters, 0, 0, 0};
  Buffer<T> bias_grad{Largest<T>::parameters, 0, 0, 0};
};

}  // namespace

template <class T>
void reserve_operands(const Problem& problem) {
  Largest<T>::size = std::max(Largest<T>::size, static_cast<std::size_t>(problem.size()));
  Largest<T>::parameters = std::max(Largest<T>::parameters, static_cast<std::size_t>(problem.c));
}

template <class T>
Operands<T> operands(const Problem& problem) {
  static Store<T> store;
  const auto size = static_cast<std::size_t>(problem.size());
  const auto c = static_cast<std::size_t>(problem.c);
  return {store.x.filled(size),   store.y.filled(size), store.dy.filled(size),       store.dx.filled(size),
          store.weight.filled(c), store.bias.filled(c), store.weight_grad.filled(c), store.bias_grad.filled(c)};
}

#define NORMA_BENCH_INSTANTIATE(T)                   \
  template void reserve_operands<T>(const Problem&); \
  template Operands<T> operands<T>(const Problem&);
NORMA_BENCH_INSTANTIATE(float)
NORMA_BENCH_INSTANTIATE(double)
NORMA_BENCH_INSTANTIATE(norma::bfloat16)
NORMA_BENCH_INSTANTIATE(norma::float16)
#undef NORMA_BENCH_INSTANTIATE

}  // namespace bench
