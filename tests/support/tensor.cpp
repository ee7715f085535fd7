#include "support/tensor.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <stdexcept>

namespace norma_test {
namespace {

/// The bits of an element, as the unsigned integer of its size.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, std::uint16_t, std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>;

/// A quiet NaN with a payload that no arithmetic makes.
template <class T>
constexpr auto mark = static_cast<Bits<T>>(sizeof(T) == 2   ? 0x7FED
                                           : sizeof(T) == 4 ? 0x7FC0BEEF
                                                            : 0x7FF80000DEADBEEF);

template <class T>
bool is_written(T element) {
  return std::bit_cast<Bits<T>>(element) != mark<T>;
}

/// f(element, its row-major number) for each element of a strided tensor.
template <class F>
void for_each_element(const AnyView& v, F f) {
  if (v.data == nullptr) return;
  with_element(v.type, [&]<class T>(T) {
    std::size_t i = 0;
    const auto each = [&](std::ptrdiff_t at) { f(static_cast<T*>(v.data)[at], i++); };
    for_each_offset(v.extents, v.strides, each);
  });
}

}  // namespace

Values AnyView::values() const {
  Values result(data == nullptr ? 0 : size());
  for_each_element(*this, [to = result.data()](const auto& element, std::size_t i) { to[i] = number_of(element); });
  return result;
}
void AnyView::set(const Values& values) const {
  if (values.size() != (data == nullptr ? 0 : size())) throw std::logic_error("AnyView::set: wrong number of values");
  for_each_element(*this, [from = values.data()](auto& element, std::size_t i) { put_number(element, from[i]); });
}
void AnyView::fill(double v) const {
  for_each_element(*this, [=](auto& element, std::size_t) { put_number(element, v); });
}
bool AnyView::holds(const Values& values) const {
  bool equal = values.size() == (data == nullptr ? 0 : size());
  if (equal)
    for_each_element(*this, [&](const auto& element, std::size_t i) { equal = same_number(number_of(element), values[i]) && equal; });
  return equal;
}

void AnyTensor::wipe() {
  with_element(type_, [&]<class T>(T) { std::fill_n(reinterpret_cast<T*>(memory_.data()), total_, std::bit_cast<T>(mark<T>)); });
}
std::size_t AnyTensor::written_elements() const {
  return with_element(type_, [&]<class T>(T) {
    const T* const first = reinterpret_cast<const T*>(memory_.data());
    return static_cast<std::size_t>(std::count_if(first, first + total_, is_written<T>));
  });
}
bool AnyTensor::untouched() const { return written_elements() == 0; }
bool AnyTensor::surroundings_untouched() const {
  if (total_ == count(extents_)) return true;
  std::size_t written = 0;
  for_each_element(any(), [&](const auto& element, std::size_t) { written += is_written(element); });
  return written == written_elements();
}

}  // namespace norma_test
