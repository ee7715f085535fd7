// Communicators: how the processes of one training exchange the small tables their statistics are made of.
#pragma once

#include <concepts>
#include <span>
#include <type_traits>

#include <norma/core/extents.hpp>

namespace norma {

/// One process' view of `size()` processes. all_gather fills `all` with every rank's `mine`, in rank order; all ranks pass as many numbers
/// and make the same calls in the same order.
template <class C>
concept Communicator = requires(const std::remove_cvref_t<C>& c, std::span<const double> mine, std::span<double> all) {
  { c.rank() } -> std::convertible_to<int>;
  { c.size() } -> std::convertible_to<int>;
  c.all_gather(mine, all);
};

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A communicator seen through plain pointers, so that layers are compiled once and not once per transport.
class CommunicatorRef {
 public:
  template <Communicator C>
  NORMA_INLINE CommunicatorRef(const C& communicator)
      : communicator_(&communicator), gather_(&gather_with<C>), rank_(communicator.rank()), size_(communicator.size()) {}

  int rank() const { return rank_; }
  int size() const { return size_; }
  void all_gather(std::span<const double> mine, std::span<double> all) const { gather_(communicator_, mine, all); }

 private:
  template <class C>
  static void gather_with(const void* communicator, std::span<const double> mine, std::span<double> all) {
    static_cast<const C*>(communicator)->all_gather(mine, all);
  }

  const void* communicator_;
  void (*gather_)(const void*, std::span<const double>, std::span<double>);
  int rank_;
  int size_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
