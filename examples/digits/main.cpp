// Handwritten digits learned with one norm and another, at small and large batches: the same networks, the same seeds, side by side.

#include "data.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "train.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace digits;

/// Every norm with every batch size and seed; each network trains on one thread, so its numbers do not depend on how many there are.
std::vector<Trained> train_all(const Digits& digits, const Options& options) {
  std::vector<Trained> all;
  for (const NormChoice& norm : options.norms)
    for (const Eigen::Index batch : options.batches)
      all.push_back({norm, batch, std::vector<History>(static_cast<std::size_t>(options.seeds))});

  // The smallest batches take the longest and go first, so that the threads end together.
  std::vector<std::pair<Trained*, std::uint64_t>> trainings;
  for (Trained& trained : all)
    for (int seed = 1; seed <= options.seeds; ++seed) trainings.emplace_back(&trained, seed);
  std::ranges::stable_sort(trainings, {}, [](const auto& training) { return training.first->batch; });

  Progress progress(static_cast<int>(trainings.size()) * options.recipe.epochs);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < trainings.size(); i = next++) {
      const auto [trained, seed] = trainings[i];
      trained->runs[seed - 1] =
          train(digits, options.recipe, trained->norm, trained->batch, seed,
                [&, trained = trained, seed = seed](const Score& test) { progress.epoch(trained->norm, trained->batch, seed, test); });
    }
  };
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(static_cast<std::size_t>(options.threads), trainings.size()); ++i) threads.emplace_back(work);
  work();
  threads.clear();  // joins
  return all;
}

void run(const Options& options) {
  Eigen::setNbThreads(1);                                 // where OpenMP is on, Eigen would split each small product as well
  Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 2 << 20);  // products cut long sums by them: everywhere in the same way
  const std::string source = DIGITS_SOURCE_DIR;
  const Digits digits = load_digits(source + "/digits.csv.gz");
  std::filesystem::create_directories(options.out);
  std::printf("%d training and %d test images; network %s, %d epochs, rate %g at batch 32, seeds 1 to %d; norma uses %s\n",
              static_cast<int>(digits.train.count()), static_cast<int>(digits.test.count()), options.network.data(), options.recipe.epochs,
              static_cast<double>(options.recipe.rate), options.seeds, norma::instruction_set());
  std::fflush(stdout);

  const auto start = std::chrono::steady_clock::now();
  const std::vector<Trained> all = train_all(digits, options);
  options.batches.size() > 1 ? print_grid(all, options.batches) : print_details(all);
  std::printf("%.1f s in all; bits of all losses: %016llx\n",
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), fingerprint(all).value());
  std::fflush(stdout);
  write_report(all, options.batches, options.out, source);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const digits::Options options = digits::parse_options(argc, argv);
    if (options.help)
      digits::print_help();
    else
      run(options);
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "digits: %s (see --help)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 1;
  }
}
