// An attention block learns to look up tokens, at a rate that is too high for it: its logits explode. With QKNorm they stay bounded.

#include "../gnuplot.hpp"
#include "block.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace attention;

/// Sequences of noisy tokens in random order. Each is to attend to its successor (31 to 0), but for one in ten, whose target is any token:
/// mistakes that no block can learn keep pulling at the logits.
class Lookup {
 public:
  explicit Lookup(std::uint64_t seed) : random_(seed), embedding_(random_.matrix(tokens, model, 1)) {}

  void next(Matrix& x, std::vector<Eigen::Index>& target) {
    std::vector<Eigen::Index> item(tokens), place(tokens);
    for (std::size_t i = 0; i < item.size(); ++i) item[i] = static_cast<Eigen::Index>(i);
    for (std::size_t i = item.size(); i > 1; --i)
      std::swap(item[i - 1], item[static_cast<std::size_t>(random_.below(static_cast<Eigen::Index>(i)))]);
    x = random_.matrix(tokens, model, 0.3F);
    for (std::size_t i = 0; i < item.size(); ++i) {
      x.row(static_cast<Eigen::Index>(i)) += embedding_.row(item[i]);
      place[static_cast<std::size_t>(item[i])] = static_cast<Eigen::Index>(i);
    }
    target.resize(item.size());
    for (std::size_t i = 0; i < item.size(); ++i)
      target[i] = random_.below(10) == 0 ? random_.below(tokens) : place[static_cast<std::size_t>((item[i] + 1) % tokens)];
  }

 private:
  Random random_;
  Matrix embedding_;
};

struct Contestant {
  const char* title;
  Block block;
  Lookup data;
};

/// One row per step that is shown, three columns per contestant. Returns the largest logit of each in the last step.
std::vector<double> train(std::vector<Contestant>& all, int steps, float rate, std::ofstream& file) {
  constexpr int batch = 8;
  std::vector<double> last(all.size());
  Matrix x;
  std::vector<Eigen::Index> target;
  for (int step = 0; step <= steps; ++step) {
    const bool shown = step % (steps / 10) == 0;
    if (shown) std::printf("%5d", step);
    file << step;
    for (std::size_t c = 0; c < all.size(); ++c) {
      Seen seen;
      for (int b = 0; b < batch; ++b) {
        all[c].data.next(x, target);
        const Seen one = all[c].block.learn(x, target);
        seen = {seen.loss + one.loss / batch, std::max(seen.largest_logit, one.largest_logit), seen.right + one.right / batch};
      }
      all[c].block.step(rate);
      last[c] = seen.largest_logit;
      file << ',' << seen.largest_logit << ',' << seen.loss << ',' << seen.right;
      if (shown) std::printf("   %10.1f %8.3f %5.0f %%", seen.largest_logit, seen.loss, 100 * seen.right);
    }
    file << '\n';
    if (shown) std::puts("");
  }
  return last;
}

}  // namespace

int main(int argc, char** argv) {
  int steps = 600;
  float rate = 0.3F;
  std::string out = ".";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      steps = 60;
    } else if (word == "--out" && i + 1 < argc) {
      out = argv[++i];
    } else if (word == "--rate" && i + 1 < argc) {
      rate = std::strtof(argv[++i], nullptr);
    } else {
      std::fputs("usage: attention [--quick] [--rate X] [--out DIR]\n", stderr);
      return 2;
    }
  }
  Eigen::setNbThreads(1);
  std::filesystem::create_directories(out);
  const std::string path = out + "/logits.csv";
  std::ofstream file(path);
  std::vector<Contestant> all;
  for (const auto& [title, form] : {std::pair<const char*, std::optional<norma::QKForm>>{"no norm", std::nullopt},
                                    {"QKNorm, rms", norma::QKForm::rms},
                                    {"QKNorm, l2", norma::QKForm::l2}}) {
    Random random(3);
    all.push_back({title, Block(form, random), Lookup(4)});
  }
  std::printf("     ");
  for (const Contestant& c : all) std::printf("   %27s", c.title);
  std::printf("\n step");
  for (std::size_t c = 0; c < all.size(); ++c) std::printf("   %10s %8s %7s", "max |logit|", "loss", "right");
  std::puts("");
  const std::vector<double> last = train(all, steps, rate, file);
  if (!file.flush()) {
    std::fprintf(stderr, "attention: cannot write %s\n", path.c_str());
    return 1;
  }
  std::printf("wrote %s\n", path.c_str());
  pictures::draw({ATTENTION_SOURCE_DIR "/logits.gnuplot", path, out + "/logits.png"}, out + "/logits.png");
  return last[1] < last[0] && last[2] < last[0] ? 0 : 1;
}
