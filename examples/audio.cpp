// Norms on an audio thread: a causal network in blocks of 64 frames, BatchNorm as a layer or folded away; no allocation, no lock.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <span>
#include <vector>

#include <norma/norma.hpp>

#include "counters.hpp"

constexpr std::size_t frames = 64, taps = 9, width = 16, blocks = 1000;

/// Blocks lie frame by frame (channels-last), so that a window of some frames is one run of memory. The last ones stay for the next block.
struct Convolution {
  std::size_t in, out;
  std::vector<float> kernel = std::vector<float>(taps * in * out), bias = std::vector<float>(out, 0.1F);
  std::vector<float> past = std::vector<float>((taps - 1 + frames) * in);

  void operator()(std::span<const float> x, std::span<float> y) {
    std::copy_n(x.data(), frames * in, past.data() + (taps - 1) * in);
    for (std::size_t t = 0; t < frames; ++t) {
      float* const frame = std::copy(bias.begin(), bias.end(), y.data() + t * out) - out;
      for (std::size_t i = 0; i < taps * in; ++i)
        for (std::size_t o = 0; o < out; ++o) frame[o] += past[t * in + i] * kernel[i * out + o];
    }
    std::copy_n(past.data() + frames * in, (taps - 1) * in, past.data());
  }
};

/// A call of norma works in its arguments and on its stack, in the thread that calls: there is no pool, no cache and nothing global for a
/// lock to guard. Layers are const while they play, so that many voices may share them.
struct Network {
  Convolution first{1, width}, second{width, 1};
  norma::BatchNorm<float> bn{width, {.momentum = std::nullopt}};
  norma::LayerNorm<float> ln{width};
  std::vector<float> hidden = std::vector<float>(frames * width);
  const norma::TensorView<float> wave = norma::channels_last(hidden, {1, width, frames});  // (batch, channels, time), wherever they lie
  const norma::TensorView<float> rows{hidden, {frames, width}};                            // each frame by itself
  const bool folded;

  /// Some weights, BatchNorm's statistics from a signal. All that allocates happens here, folding included.
  Network(std::span<const float> signal, bool folds) : folded(folds) {
    float phase = 0;
    for (const std::span<float> p : {std::span(first.kernel), std::span(second.kernel), bn.weight(), bn.bias()})
      for (float& v : p) v = 0.4F * std::sin(phase += 1.7F);
    norma::Saved<float> saved;
    for (std::size_t k = 0; k < blocks; ++k) {
      first(signal.subspan(k * frames, frames), hidden);
      bn.forward(wave, wave, saved);
    }
    if (folded) norma::fold_batch_norm(norma::TensorView<float>(first.kernel, {taps, 1, width}), first.bias, bn, {.axis = -1});
  }
  Network(const Network&) = delete;  // its views are of its own blocks

  void operator()(std::span<const float> x, std::span<float> y) {
    first(x, hidden);
    if (folded) std::ranges::transform(hidden, hidden.begin(), norma::relu);
    if (!folded) bn(wave, wave, norma::relu);
    ln(rows, rows);
    second(hidden, y);
  }
};

/// A sound card's callback, block after block. Times are printed, and the worst one is the operating system's: it shows why a callback must
/// not wait for others. What does not depend on the machine is returned: nothing allocated, nothing locked.
template <class F>
bool play(const char* name, const F& callback) {
  std::vector<double> us(blocks);
  const long allocated = allocations, locked = locks;
  for (std::size_t k = 0; k < blocks; ++k) {
    const auto start = std::chrono::steady_clock::now();
    callback(k);
    us[k] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  }
  const long news = allocations - allocated, waits = locks - locked;
  std::ranges::sort(us);
  std::printf("%-26s %9.1f %9.1f %12ld %6ld\n", name, us[blocks / 2], us.back(), news, waits);
  return news == 0 && waits == 0;
}

int main() {
  std::vector<float> signal(frames * blocks), y(signal.size()), z(signal.size());
  for (std::size_t i = 0; i < signal.size(); ++i) signal[i] = std::sin(1e-5F * static_cast<float>(i % 20000 * (i % 20000)));  // a sweep
  Network layers(signal, false), folded(signal, true);
  std::mutex mutex;
  const long before = locks;
  { const std::scoped_lock lock(mutex); }
  bool right = allocations > 0 && locks == before + 1;  // the counters count

  std::printf("a block is due every %.0f us\n%-26s %9s %9s %12s %6s\n", frames / 48e-3, "us a call:", "median", "worst", "allocations",
              "locks");
  const auto block = [](std::vector<float>& x, std::size_t k) { return std::span(x).subspan(k * frames, frames); };
  right &= play("network, BatchNorm a layer", [&](std::size_t k) { layers(block(signal, k), block(y, k)); });
  right &= play("network, BatchNorm folded", [&](std::size_t k) { folded(block(signal, k), block(z, k)); });
  right &= play("BatchNorm and ReLU alone", [&](std::size_t) { layers.bn(layers.wave, layers.wave, norma::relu); });
  right &= play("LayerNorm alone", [&](std::size_t) { layers.ln(layers.rows, layers.rows); });

  float largest = 0, difference = 0;
  for (const float v : y) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < y.size(); ++i) difference = std::max(difference, std::abs(y[i] - z[i]));
  std::printf("folded or not: %.1e apart, outputs up to %.1f\n", double{difference}, double{largest});
  return right && largest > 0.1F && difference < 1e-4F * largest ? 0 : 1;
}
