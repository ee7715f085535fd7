// A small decoder learns to continue this repository's README files byte by byte, with float activations and with bfloat16 ones: the same
// loss. Then the logits of one prompt: the same bits alone and in a batch, from the cache and at once, with one thread and with two.

#include "../fingerprint.hpp"
#include "../gnuplot.hpp"
#include "decode.hpp"
#include "train.hpp"

#include <atomic>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace transformer;

/// norma's executor and this program's, which make as many threads as there is work for and wait for them without spinning.
struct Threads {
  int threads;

  template <class F>
  void parallel_for(norma::index_t tasks, F&& f) const {
    std::atomic<norma::index_t> next{0};
    const auto work = [&] {
      for (norma::index_t i = next++; i < tasks; i = next++) f(i);
    };
    std::vector<std::jthread> others;
    for (norma::index_t t = 1; t < threads && t < tasks; ++t) others.emplace_back(work);
    work();
  }  // ~jthread joins
  int concurrency() const { return threads; }
};

struct Options {
  int steps = 800;
  std::size_t prompt = 50;
  std::string out = ".";
};

/// --steps N: of training. --quick: does it run at all. --out DIR: where loss.csv and loss.png go.
Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--quick") {
      options.steps = 40;
      options.prompt = 16;
    } else if (word == "--steps" && i + 1 < argc) {
      options.steps = std::atoi(argv[++i]);
    } else if (word == "--out" && i + 1 < argc) {
      options.out = argv[++i];
    } else {
      options.steps = 0;
    }
  }
  if (options.steps < 10) throw std::invalid_argument("usage: transformer [--quick] [--steps N, 10 or more] [--out DIR]");
  return options;
}

Bytes read_text() {
  Bytes text;
  for (const char* name : {"README.md", "include/norma/README.md", "tests/README.md", "examples/README.md", "bench/README.md",
                           "examples/distributed/README.md"}) {
    std::ifstream file(std::string(TRANSFORMER_SOURCE_DIR "/../../") + name, std::ios::binary);
    if (!file) throw std::runtime_error(std::string("cannot read ") + name);
    text.insert(text.end(), std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

/// Pieces of a text, and what follows each of their bytes.
struct Examples {
  Bytes bytes, targets;

  void append(const Bytes& text, std::size_t first, std::size_t length) {
    for (std::size_t i = first; i < first + length; ++i) {
      bytes.push_back(text[i]);
      targets.push_back(text[i + 1]);
    }
  }
};
/// Anywhere in the text.
Examples draw_examples(const Bytes& text, Random& random, std::size_t count, std::size_t length) {
  Examples examples;
  for (std::size_t i = 0; i < count; ++i) examples.append(text, random.below(text.size() - length), length);
  return examples;
}

struct Losses {
  double f32 = 0, bf16 = 0;
};

/// Of training's losses, and of a prompt's logits.
struct Fingerprints {
  Fingerprint f32, bf16;
};

/// Both learn from the same examples, each on a thread of its own. Returns the mean losses of the last tenth of the steps.
Losses train(Trainer<float>& f32, Trainer<Eigen::bfloat16>& bf16, const Bytes& text, int steps, std::ofstream& file, Losses& first,
             Fingerprints& fingerprints) {
  constexpr std::size_t batch = 8;
  constexpr float rate = 0.012F;
  Random random(2);
  Losses last, shown;
  int since = 0;
  std::puts(" step   loss, f32 activations   loss, bf16 activations");
  for (int step = 0; step < steps; ++step) {
    const Examples examples = draw_examples(text, random, batch, context);
    const float warm = std::min(1.0F, static_cast<float>(step + 1) / 20), left = 1 - static_cast<float>(step) / static_cast<float>(steps);
    Losses now;
    Threads{2}.parallel_for(2, [&](norma::index_t i) {
      if (i == 0) now.f32 = f32.step(examples.bytes, examples.targets, rate * warm * left);
      if (i == 1) now.bf16 = bf16.step(examples.bytes, examples.targets, rate * warm * left);
    });
    file << step << ',' << now.f32 << ',' << now.bf16 << '\n';
    fingerprints.f32.add(now.f32);
    fingerprints.bf16.add(now.bf16);
    if (step == 0) first = now;
    if (step >= steps - steps / 10) last = {last.f32 + now.f32 / (steps / 10), last.bf16 + now.bf16 / (steps / 10)};
    shown = {shown.f32 + now.f32, shown.bf16 + now.bf16};
    ++since;
    if (step % (steps / 10) != 0) continue;
    std::printf("%5d   %21.4f   %22.4f\n", step, shown.f32 / since, shown.bf16 / since);
    std::fflush(stdout);
    shown = {};
    since = 0;
  }
  return last;
}

/// The logits of a prompt in the middle of a batch of other texts, `piece` tokens at a time.
template <class E>
Rows<float> logits_in_company(const Model& model, const Bytes& prompt, const Bytes& text, Index batch, std::size_t piece, int threads) {
  Random random(3);
  Decoder<E> decoder(model, batch);
  std::vector<Bytes> sequences;
  for (Index s = 0; s < batch; ++s) {
    const bool its_place = s == batch / 2;
    sequences.push_back(its_place ? prompt : draw_examples(text, random, 1, prompt.size()).bytes);
  }
  Rows<float> logits(static_cast<Index>(prompt.size()), byte_values);
  for (std::size_t first = 0; first < prompt.size(); first += piece) {
    const std::size_t length = std::min(piece, prompt.size() - first);
    Bytes bytes;
    for (const Bytes& s : sequences) bytes.insert(bytes.end(), s.data() + first, s.data() + first + length);
    const Rows<float> all = decoder.next(Threads{threads}, bytes);
    const Index rows = static_cast<Index>(length);
    logits.middleRows(static_cast<Index>(first), rows) = all.middleRows(batch / 2 * rows, rows);
  }
  return logits;
}

std::size_t differing_bits(const Rows<float>& a, const Rows<float>& b) {
  std::size_t bits = 0;
  for (Index i = 0; i < a.size(); ++i)
    bits += static_cast<std::size_t>(std::popcount(std::bit_cast<std::uint32_t>(a.data()[i]) ^ std::bit_cast<std::uint32_t>(b.data()[i])));
  return bits;
}

/// Whether it is the same bits however the prompt is computed; and, but for the order of sums, what training computes.
template <class E>
bool same_bits(Trainer<E>& trainer, const char* name, const Bytes& text, std::size_t length, float tolerance, Fingerprint& fingerprint) {
  const Bytes prompt(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length));
  const Rows<float> alone = logits_in_company<E>(trainer.model(), prompt, text, 1, length, 1);
  for (const float logit : alone.reshaped()) fingerprint.add(static_cast<double>(logit));
  std::size_t ways = 0, bits = 0;
  for (const Index batch : {1, 2, 7, 64}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, length}) {
      for (const int threads : {1, 2}) {
        bits += differing_bits(alone, logits_in_company<E>(trainer.model(), prompt, text, batch, piece, threads));
        ++ways;
      }
    }
  }
  const float off = (trainer.forward(prompt, 1) - alone).cwiseAbs().maxCoeff();
  std::printf("%s: %zu differing bits in %zu ways to compute %zd logits, which are within %.1g of training's\n", name, bits, ways,
              alone.size(), static_cast<double>(off));
  return bits == 0 && off <= tolerance;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse(argc, argv);
    Eigen::setNbThreads(1);
    Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 2 << 20);  // products cut long sums by them: everywhere in the same way
    std::filesystem::create_directories(options.out);
    const std::string path = options.out + "/loss.csv";
    std::ofstream file(path);
    const Bytes text = read_text();
    Trainer<float> f32(1);
    Trainer<Eigen::bfloat16> bf16(1);
    Losses first;
    Fingerprints losses, logits;
    const Losses last = train(f32, bf16, text, options.steps, file, first, losses);
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
    const double ratio = last.bf16 / last.f32;
    std::printf("The last tenth of %d steps on %zu bytes: %.4f f32, %.4f bf16; bf16 / f32 = %.4f\n\n", options.steps, text.size(), last.f32,
                last.bf16, ratio);
    std::printf("A prompt alone and among 2, 7 and 64; %zu bytes one, three and all at a time; 1 and 2 threads\n", options.prompt);
    const bool same_f32 = same_bits(f32, " f32", text, options.prompt, 1e-3F, logits.f32);
    const bool same_bf16 = same_bits(bf16, "bf16", text, options.prompt, 0.5F, logits.bf16);
    std::printf("Bits of all losses: %016llx f32, %016llx bf16; of the logits: %016llx f32, %016llx bf16\n", losses.f32.value(),
                losses.bf16.value(), logits.f32.value(), logits.bf16.value());
    std::printf("wrote %s\n", path.c_str());
    pictures::draw({TRANSFORMER_SOURCE_DIR "/loss.gnuplot", path, options.out + "/loss.png"}, options.out + "/loss.png");
    const bool learned = last.f32 < 0.8 * first.f32 && last.bf16 < 0.8 * first.bf16 && std::abs(ratio - 1) <= 0.02;
    return learned && same_f32 && same_bf16 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "transformer: %s\n", error.what());
    return 2;
  }
}
