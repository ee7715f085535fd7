// Who runs the work: the calling thread, OpenMP, or a pool of your own in ten lines. The bits are the same.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include <norma/interop/openmp.hpp>  // the including file is compiled with OpenMP; norma.hpp does not need it
#include <norma/norma.hpp>

namespace {

/// The whole contract: run f(i) once for every i in [0, tasks), in any order, and return when all are done.
struct MyThreads {
  int threads;

  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    std::atomic<norma::index_t> next{0};
    const auto work = [&] {
      for (norma::index_t i = next++; i < tasks; i = next++) f(i);
    };
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
  }  // ~jthread joins
  int concurrency() const { return threads; }
};
static_assert(norma::Executor<MyThreads>);

}  // namespace

int main() {
  const int rows = 512;
  const int features = 1024;
  std::vector<float> x(static_cast<std::size_t>(rows * features));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 977) * 0.01F;
  std::vector<float> alone(x.size());
  std::vector<float> by_openmp(x.size());
  std::vector<float> by_mine(x.size());
  const auto matrix = [&](std::vector<float>& memory) { return norma::TensorView<float>(memory.data(), {rows, features}); };

  const norma::RMSNorm<float> rms({features});
  rms(matrix(x), matrix(alone));  // norma::sequential
  rms(norma::openmp(2), matrix(x), matrix(by_openmp));
  rms(MyThreads{2}, matrix(x), matrix(by_mine));

  const bool same = alone == by_openmp && alone == by_mine;
  std::printf("sequential, openmp(2) and MyThreads{2}: %s\n", same ? "equal, bit for bit" : "DIFFERENT");
  return same ? 0 : 1;
}
