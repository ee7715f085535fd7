// A program without -m flags that links norma::compiled, and the header-only form for SSE2 and AVX2 to compare bits with.
//   compiled expect NAME   this processor's best is NAME, which gives what plain double loops do
//   compiled all           that of each instruction set; bits of the header-only form; what choosing refuses; errors that cross the library
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

#include <norma/norma.hpp>

#include "../two_flags/compare.hpp"

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  std::printf("%s: %s\n", condition ? "ok" : "FAILED", what);
  failures += condition ? 0 : 1;
}

template <class Error, class F>
void expect_error(const char* part, F&& f) {
  try {
    f();
    expect(false, part);
  } catch (const Error& error) {
    expect(std::strstr(error.what(), part) != nullptr, error.what());
  }
}

bool has(const char* name) {
  const std::string_view all = norma::select_instruction_set("none");
  return all.find(name) != std::string_view::npos;
}

/// The second of two ranks, of which the first has refused the call.
struct RefusedRank {
  int rank() const { return 1; }
  int size() const { return 2; }
  void all_gather(std::span<const double> mine, std::span<double> all) const {
    std::copy(mine.begin(), mine.end(), std::copy(mine.begin(), mine.end(), all.begin()));
    all[0] = 1;
  }
};

/// An activation of the program's own, which is compiled here.
struct Twice {
  template <class V>
  V operator()(V z) const {
    return z + z;
  }
  template <class V>
  V derivative(V) const {
    return V(2);
  }
};

void refuse() {
  expect_error<std::invalid_argument>("pentium", [] { norma::use_instruction_set("pentium"); });
  norma::LayerNorm<float> ln({4});
  std::vector<float> x(8, 1.0F), y(8);
  expect_error<norma::ShapeError>("LayerNorm", [&] { ln(norma::TensorView<float>(x, {4, 2}), norma::TensorView<float>(y, {4, 2})); });
  norma::SyncBatchNorm<float> sync(2);
  norma::Saved<float> saved;
  const norma::TensorView<float> batch(x, {4, 2}), result(y, {4, 2});
  expect_error<norma::ShapeError>("rank 0 refused", [&] { sync.forward(RefusedRank(), batch, result, saved); });
}

void fuse() {
  norma::LayerNorm<float> ln({5});
  std::vector<float> x = {1, 2, 3, 4, 6, 0, 0, 1, 2, -9}, y(10), twice(10);
  ln(norma::TensorView<float>(x, {2, 5}), norma::TensorView<float>(y, {2, 5}));
  ln(norma::TensorView<float>(x, {2, 5}), norma::TensorView<float>(twice, {2, 5}), Twice());
  bool same = true;
  for (std::size_t i = 0; i < y.size(); ++i) same = same && twice[i] == 2 * y[i];
  expect(same, "an op of the program's own");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    expect(std::strcmp(norma::instruction_set(), argv[2]) == 0, norma::instruction_set());
    expect(two_flags::run("compiled", two_flags::compiled), "plain loops");
    return failures;
  }
  for (const char* const name : {"avx512", "avx2", "sse2"}) {
    if (!has(name)) continue;
    norma::use_instruction_set(name);
    expect(std::strcmp(norma::instruction_set(), name) == 0, name);
    expect(two_flags::run("compiled", two_flags::compiled), "plain loops");
    if (!has("avx2") && std::strcmp(name, "sse2") != 0) continue;
    const two_flags::Half& header_only = std::strcmp(name, "sse2") == 0 ? two_flags::sse2 : two_flags::avx2;
    expect(two_flags::same_bits(two_flags::compiled, header_only), "the bits of the header-only form");
    refuse();
    fuse();
  }
  return failures;
}
