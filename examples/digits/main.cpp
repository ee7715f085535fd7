// Handwritten digits learned with LayerNorm, with RMSNorm and without: the same networks, the same seeds, side by side.

#include "data.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "train.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace digits;

/// Every norm with every seed; each network trains on one thread, so its numbers do not depend on how many there are.
std::vector<Trained> train_all(const Digits& digits, const Options& options) {
  std::vector<Trained> all;
  for (const NormChoice& norm : options.norms) all.push_back({norm, std::vector<History>(static_cast<std::size_t>(options.seeds))});

  const int trainings = static_cast<int>(all.size()) * options.seeds;
  Progress progress(trainings * options.recipe.epochs);
  std::atomic<int> next{0};
  const auto work = [&] {
    for (int i = next++; i < trainings; i = next++) {
      Trained& trained = all[static_cast<std::size_t>(i / options.seeds)];
      const int seed = i % options.seeds + 1;
      trained.runs[static_cast<std::size_t>(seed - 1)] =
          train(digits, options.recipe, trained.norm, static_cast<std::uint64_t>(seed),
                [&](const Score& test) { progress.epoch(trained.norm, static_cast<std::uint64_t>(seed), test); });
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 1; i < std::min(options.threads, trainings); ++i) threads.emplace_back(work);
  work();
  threads.clear();  // joins
  return all;
}

void run(const Options& options) {
  Eigen::setNbThreads(1);  // where OpenMP is on, Eigen would split each small product as well
  const std::string source = DIGITS_SOURCE_DIR;
  const Digits digits = load_digits(source + "/digits.csv.gz");
  std::filesystem::create_directories(options.out);
  const Recipe& recipe = options.recipe;
  std::printf("%d training and %d test images; %d hidden layers of %d, batch %d, rate %g, %d epochs, seeds 1 to %d; norma uses %s\n",
              static_cast<int>(digits.train.count()), static_cast<int>(digits.test.count()), static_cast<int>(recipe.shape.depth),
              static_cast<int>(recipe.shape.width), static_cast<int>(recipe.batch), static_cast<double>(recipe.rate), recipe.epochs,
              options.seeds, norma::instruction_set());

  const auto start = std::chrono::steady_clock::now();
  const std::vector<Trained> all = train_all(digits, options);
  print_table(all);
  std::printf("%.1f s in all\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());

  const std::string curves = options.out + "/learning_curves.csv";
  const std::string picture = options.out + "/learning_curves.png";
  write_curves(all, curves);
  std::printf("wrote %s\n", curves.c_str());
  if (draw_curves(all, source + "/curves.gnuplot", curves, picture)) std::printf("wrote %s\n", picture.c_str());
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
