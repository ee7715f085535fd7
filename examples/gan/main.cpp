// A GAN on a ring of eight Gaussians, with and without SpectralNorm in the critic: how steep the critic becomes, and what is learned.

#include "../gnuplot.hpp"
#include "train.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace gan;

struct Options {
  int epochs = 24, steps = 250;
  std::string out = ".";
};

/// --quick: does it run at all. --out DIR: where samples.csv and samples.png go.
Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      options.epochs = 3;
      options.steps = 40;
    } else if (word == "--out" && i + 1 < argc) {
      options.out = argv[++i];
    } else {
      throw std::invalid_argument("usage: gan [--quick] [--out DIR]");
    }
  }
  return options;
}

void write_samples(std::ofstream& file, const char* title, const Matrix& samples) {
  for (Eigen::Index i = 0; i < samples.rows(); ++i) file << title << ',' << samples(i, 0) << ',' << samples(i, 1) << '\n';
}

void play(Game& game, const Options& options, const char* title) {
  std::printf("\n%s\nepoch   Lipschitz bound of the critic   modes found   samples near a mode\n", title);
  for (int epoch = 0; epoch <= options.epochs; ++epoch) {
    for (int step = 0; epoch > 0 && step < options.steps; ++step) {
      game.teach_critic();
      game.teach_critic();
      game.teach_generator();
    }
    const Quality quality = quality_of(game.samples(2000));
    std::printf("%5d   %29.4g   %9d/%d   %17.0f %%\n", epoch, game.critic.lipschitz_bound(), quality.modes_found, modes,
                100 * quality.near);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    Eigen::setNbThreads(1);
    std::filesystem::create_directories(options.out);
    const std::string path = options.out + "/samples.csv";
    std::ofstream file(path);
    Random random(1);
    write_samples(file, "data", real_samples(2000, random));
    double bound[2];
    for (const bool normalize : {false, true}) {
      const char* const title = normalize ? "with SpectralNorm" : "without";
      Game game(normalize, 2);
      play(game, options, title);
      write_samples(file, title, game.samples(2000));
      bound[normalize] = game.critic.lipschitz_bound();
    }
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
    std::printf("\nThe critic's bound at the end: %.4g without, %.4f with SpectralNorm.\nwrote %s\n", bound[0], bound[1], path.c_str());
    pictures::draw({GAN_SOURCE_DIR "/samples.gnuplot", path, options.out + "/samples.png"}, options.out + "/samples.png");
    return bound[1] <= 1.05 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gan: %s\n", error.what());
    return 2;
  }
}
