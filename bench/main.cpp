// norma_bench: Google Benchmark with defaults that suit a comparison (repetitions in random order, medians), the list of peers, and
//   --verify[=regex]   instead of timing: every implementation once, against plain loops in double;
//   --accuracy         instead of timing: the worst error of each implementation of the row and channel norms, against long double, and how
//                      many results of 16 and 8 bits are the exact ones, rounded.
#include "peers/peers.hpp"
#include "support/accuracy.hpp"
#include "support/contracts.hpp"
#include "support/registry.hpp"

#include <benchmark/benchmark.h>
#include <norma/norma.hpp>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

void report_peer(const char* name, bool found, const std::string& version) {
  const std::string text = found ? version : "MISSING: not found when this program was configured";
  std::fprintf(stderr, "peer %-7s %s\n", name, text.c_str());
  benchmark::AddCustomContext(name, found ? version : "missing");
}

/// One thread for everybody: norma runs sequentially unless the case's name says otherwise.
void prepare_peers() {
#ifdef _OPENMP
  omp_set_num_threads(1);
#endif
  std::string onednn = "", torch = "";
  if constexpr (bench::has_onednn) onednn = bench::onednn::version();
  if constexpr (bench::has_torch) {
    bench::libtorch::use_one_thread();
    torch = bench::libtorch::version();
  }
  std::fprintf(stderr, "norma's instruction set: %s; one thread for every implementation\n", norma::instruction_set());
  benchmark::AddCustomContext("norma_instruction_set", norma::instruction_set());
  report_peer("onednn", bench::has_onednn, onednn);
  report_peer("torch", bench::has_torch, torch);
}

}  // namespace

int main(int argc, char** argv) {
  prepare_peers();
  bench::register_benchmarks();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--verify"))
      return bench::verify_all(std::string(argument.starts_with("--verify=") ? argument.substr(9) : "")) ? 0 : 1;
    if (argument == "--accuracy") {
      bench::print_accuracy();
      bench::print_contracts();
      return 0;
    }
  }

  // The user's own flags come later and win. Random interleaving spreads a disturbance of the machine over all implementations.
  std::string defaults[] = {"--benchmark_repetitions=5", "--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true",
                            "--benchmark_display_aggregates_only=true"};
  std::vector<char*> arguments{argv[0]};
  for (std::string& flag : defaults) arguments.push_back(flag.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
