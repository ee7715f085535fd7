// The digits network in several processes, 2 images each: BatchNorm with its own statistics, and with those of all processes.
// mpirun -n 4 distributed [--epochs N] [--seeds N] [--exchange]

#include "../digits/data.hpp"
#include "../digits/options.hpp"
#include "../digits/train.hpp"
#include "ranks.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <norma/norma.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace digits;
using namespace distributed;

constexpr Eigen::Index images_per_rank = 2;

/// SyncBatchNorm as digits' Normalize wants a norm: the communicator stands in its calls, so it is part of this type.
class Synchronized {
 public:
  Synchronized(Eigen::Index channels, CountingCommunicator ranks) : norm_(channels), ranks_(ranks) {}

  template <class X, class Y>
  void operator()(const X& x, const Y& y) const {
    norm_(x, y);
  }
  template <class X, class Y>
  void forward(const X& x, const Y& y, norma::Saved<float>& saved) {
    norm_.forward(ranks_, x, y, saved);
  }
  template <class DY, class X, class DX>
  void backward(const DY& dy, const X& x, norma::Saved<float>& saved, const DX& dx) {
    norm_.backward(ranks_, dy, x, saved, dx);
  }
  template <class F>
  void for_each_parameter(F f) {
    norm_.for_each_parameter(f);
  }

 private:
  norma::SyncBatchNorm<float> norm_;
  CountingCommunicator ranks_;
};

Traffic traffic;  // of all Synchronized together
constexpr NormChoice local = {"local", "local BatchNorm",
                              [](const MapShape& s) { return make_norm(s, norma::BatchNorm<float>(s.channels)); }};
constexpr NormChoice synchronized = {"synchronized", "SyncBatchNorm", [](const MapShape& s) {
                                       return make_norm(s, Synchronized(s.channels, CountingCommunicator(MPI_COMM_WORLD, traffic)));
                                     }};

/// All gradients in one message, as every data-parallel program sends them.
class GradientSum {
 public:
  void operator()(Network& network) {
    all_.clear();
    network.visit_parameters([&](std::span<float>, std::span<float> grad) { all_.insert(all_.end(), grad.begin(), grad.end()); });
    sum_over_ranks(all_);
    auto from = all_.begin();
    network.visit_parameters([&](std::span<float>, std::span<float> grad) {
      std::copy_n(from, grad.size(), grad.begin());
      from += static_cast<std::ptrdiff_t>(grad.size());
    });
  }
  std::size_t bytes() const { return all_.size() * sizeof(float); }

 private:
  std::vector<float> all_;
};

struct Result {
  double accuracy = 0, seconds = 0;
  std::size_t gradient_bytes = 0;
  bool same_weights = true;  // on all ranks, to the bit
  bool same_scores = true;   // of the test images: running statistics, too
};

bool same_weights(Network& network) {
  std::vector<float> all;
  network.visit_parameters([&](std::span<float> value, std::span<float>) { all.insert(all.end(), value.begin(), value.end()); });
  return same_on_all_ranks(std::as_bytes(std::span(all)));
}
bool same_scores(const Network& network, const Images& images) {
  const Matrix scores = network.infer(images.pixel);
  return same_on_all_ranks(std::as_bytes(std::span(scores.data(), static_cast<std::size_t>(scores.size()))));
}

/// Every rank starts from the same weights and sees the images in the same order; of each batch it takes its own two.
Result train_on_all_ranks(const World& world, const Digits& digits, const Recipe& recipe, const NormChoice& norm, std::uint64_t seed) {
  Random random(seed);
  Network network = recipe.make(recipe.shape, norm, random);
  GradientSum sum;
  const Part part{world.rank(), world.size(), [&](Network& n) { sum(n); }};
  const History history = train(
      network, digits, recipe, images_per_rank * world.size(), random, [](const Score&) {}, part);
  return {100 * history.epochs.back().test.accuracy, history.seconds, sum.bytes(), same_weights(network),
          same_scores(network, digits.test)};
}

/// One process with all the images of a step, and ordinary BatchNorm. Each rank takes another seed.
double train_alone(const World& world, const Digits& digits, const Recipe& recipe, int seeds, Eigen::Index batch) {
  double mine = 0, all = 0;
  for (int seed = 1 + world.rank(); seed <= seeds; seed += world.size()) {
    mine += 100 * train(digits, recipe, local, batch, static_cast<std::uint64_t>(seed), [](const Score&) {}).epochs.back().test.accuracy;
  }
  MPI_Allreduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  return all / seeds;
}

Result mean_over_seeds(const World& world, const Digits& digits, const Recipe& recipe, const NormChoice& norm, int seeds) {
  Result mean;
  for (int seed = 1; seed <= seeds; ++seed) {
    const Result r = train_on_all_ranks(world, digits, recipe, norm, static_cast<std::uint64_t>(seed));
    mean.accuracy += r.accuracy / seeds;
    mean.seconds += r.seconds / seeds;
    mean.gradient_bytes = r.gradient_bytes;
    mean.same_weights = mean.same_weights && r.same_weights;
    mean.same_scores = mean.same_scores && r.same_scores;
  }
  return mean;
}

const char* yes_or_no(bool b) { return b ? "yes" : "no"; }

/// Returns false if ranks differ where they must not.
bool compare(const World& world, const Recipe& recipe, int seeds) {
  const Digits digits = load_digits(std::string(DIGITS_SOURCE_DIR) + "/digits.csv.gz");
  const Eigen::Index batch = images_per_rank * world.size();
  const double steps = static_cast<double>(recipe.epochs * (digits.train.count() / batch)) * seeds;
  const Result of_local = mean_over_seeds(world, digits, recipe, local, seeds);
  const Result of_all = mean_over_seeds(world, digits, recipe, synchronized, seeds);
  const double alone = train_alone(world, digits, recipe, seeds, batch);
  if (world.rank() == 0) {
    std::printf("%d ranks with %d images each, a batch of %d; %d epochs, mean of %d seeds\n", world.size(),
                static_cast<int>(images_per_rank), static_cast<int>(batch), recipe.epochs, seeds);
    std::printf("%-42s%14s%14s%14s%10s\n", "statistics of", "test accuracy", "same weights", "same scores", "seconds");
    std::printf("%-42s%12.1f %%%14s%14s%10.2f\n", "each rank's own images (BatchNorm)", of_local.accuracy, yes_or_no(of_local.same_weights),
                yes_or_no(of_local.same_scores), of_local.seconds);
    std::printf("%-42s%12.1f %%%14s%14s%10.2f\n", "all ranks' images (SyncBatchNorm)", of_all.accuracy, yes_or_no(of_all.same_weights),
                yes_or_no(of_all.same_scores), of_all.seconds);
    std::printf("%-42s%12.1f %%\n", "the whole batch in one process (BatchNorm)", alone);
    std::printf("A step, per rank: %.0f exchanges of %.0f bytes in all for statistics, %.1f us each; %zu bytes of gradients\n",
                static_cast<double>(traffic.exchanges) / steps, static_cast<double>(traffic.bytes) / steps,
                1e6 * traffic.seconds / static_cast<double>(traffic.exchanges), of_all.gradient_bytes);
  }
  return of_local.same_weights && of_all.same_weights && of_all.same_scores;
}

/// What an exchange costs by itself, from 16 to 2,048 channels.
void measure_exchange(const World& world) {
  const norma::MpiCommunicator comm = norma::mpi(MPI_COMM_WORLD);
  if (world.rank() == 0) std::printf("%d ranks\nchannels   bytes a rank   us an exchange, forward\n", world.size());
  for (const std::size_t channels : std::initializer_list<std::size_t>{16, 64, 256, 1024, 2048}) {
    std::vector<double> mine(2 * channels + 2, 1.0), all(mine.size() * static_cast<std::size_t>(world.size()));
    constexpr int calls = 2000;
    for (int i = 0; i < calls / 10; ++i) comm.all_gather(mine, all);
    const double start = MPI_Wtime();
    for (int i = 0; i < calls; ++i) comm.all_gather(mine, all);
    const double each = (MPI_Wtime() - start) / calls;
    if (world.rank() == 0) std::printf("%8zu %14zu %25.2f\n", channels, mine.size() * sizeof(double), 1e6 * each);
  }
}

int run(const World& world, int argc, char** argv) {
  Eigen::setNbThreads(1);
  Recipe recipe;
  int seeds = 2;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--exchange") {
      measure_exchange(world);
      return 0;
    }
    if (i + 1 == argc || (word != "--epochs" && word != "--seeds"))
      throw std::invalid_argument("options are --epochs N, --seeds N and --exchange");
    (word == "--epochs" ? recipe.epochs : seeds) = number(argv[++i], 1, 1000);
  }
  return compare(world, recipe, seeds) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const World world(argc, argv);
  try {
    return run(world, argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "distributed: %s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
    return 1;
  }
}
