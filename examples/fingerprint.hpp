// One number for many: programs that print the same one have computed the same, bit for bit.
#pragma once

#include <bit>
#include <cstdint>

/// FNV-1a over the bits of doubles, in the order of add. A float's are those of the double with its value.
class Fingerprint {
 public:
  void add(double number) {
    const auto bits = std::bit_cast<std::uint64_t>(number);
    for (int byte = 0; byte < 8; ++byte) hash_ = (hash_ ^ (bits >> 8 * byte & 0xFF)) * 0x100000001B3u;
  }
  unsigned long long value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325u;
};
