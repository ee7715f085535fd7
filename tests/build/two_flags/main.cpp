// Runs the parts named on the command line ("sse2", "avx2", "portable") and compares each with plain double loops, and the bits of the
// portable one with those of AVX2.
#include <cstring>

#include "compare.hpp"

namespace {

const two_flags::Half& half_named(const char* name) {
  if (std::strcmp(name, "portable") == 0) return two_flags::portable;
  return std::strcmp(name, "sse2") == 0 ? two_flags::sse2 : two_flags::avx2;
}

}  // namespace

int main(int argc, char** argv) {
  bool all_right = argc > 1;
  for (int i = 1; i < argc; ++i) {
    all_right = two_flags::run(argv[i], half_named(argv[i])) && all_right;
    for (int j = 1; j < i; ++j) {
      const two_flags::Half &earlier = half_named(argv[j]), &later = half_named(argv[i]);
      if (std::strcmp(earlier.instruction_set(), later.instruction_set()) == 0) {
        std::printf("both are compiled for %s: this compares nothing\n", later.instruction_set());
        all_right = false;
      }
      if (&earlier == &two_flags::avx2 && &later == &two_flags::portable) all_right = two_flags::same_bits(earlier, later) && all_right;
    }
  }
  return all_right ? 0 : 1;
}
