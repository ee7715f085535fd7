// Saved<T>: what a training forward leaves for its backward.
#pragma once

#include <string_view>

#include <norma/core/buffer.hpp>
#include <norma/engine/statistics.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Mean and rstd of each statistic set, scratch memory, and the identity of the forward that wrote them. An ordinary value: copy, move,
/// reuse; from the second step of one shape on nothing is allocated. One Saved serves one backward at a time.
template <class T = float>
class Saved : public AssignedWhole<Saved<T>> {
 public:
  /// Means in row-major order of the kept axes; empty for uncentred norms.
  std::span<const T> mean() const { return {means(), static_cast<std::size_t>(centred_ ? index_t{sets_} : 0)}; }
  /// 1 / sqrt(variance + eps), or the layer's equivalent, in the same order.
  std::span<const T> rstd() const { return {rstds(), static_cast<std::size_t>(sets_)}; }

  /// Memory of yours in which forwards leave mean() and rstd() and from which a backward reads them, until use({}, {}): a number for each
  /// set at least, or the forward is a ShapeError; `mean` may be empty where the norm is uncentred. It must live as long as it is used,
  /// also by copies of this. Whatever forward was here is forgotten.
  void use(std::span<T> mean, std::span<T> rstd) {
    layer_ = std::string_view();
    sets_ = 0;
    their_mean_ = mean;
    their_rstd_ = rstd;
  }
  /// For layers: ShapeError unless there is room for the statistics of so many sets.
  void check_room(index_t sets, bool centred) const {
    const auto check_span = [&](const char* name, std::span<T> theirs) {
      if (static_cast<index_t>(theirs.size()) >= sets) return;
      raise_shape_error("Saved: use() was handed memory for ", static_cast<index_t>(theirs.size()), " of ", name, ", there are ", sets);
    };
    if (!uses_theirs()) return;
    check_span("rstd", their_rstd_);
    if (centred) check_span("mean", their_mean_);
  }

  /// For layers: room for `sets` statistics. Until the next commit() this serves no backward, whatever it held.
  StatisticArrays prepare(index_t sets, bool centred) {
    check_room(sets, centred);
    layer_ = std::string_view();
    sets_ = 0;
    numbers_.resize(sets * (centred ? 4 : 2));
    variance_.resize(sets);
    sets_ = sets;
    centred_ = centred;
    return statistics();
  }
  /// For layers: the arrays written by the forward.
  StatisticArrays statistics() {
    T* const first = numbers_.data();
    if (!centred_) return {element_type_of<T>, nullptr, nullptr, rstds(), first + sets_, variance_.data()};
    return {element_type_of<T>, means(), first + sets_, rstds(), first + 3 * sets_, variance_.data()};
  }
  /// For layers: the population variances (mean squares) of that forward, in the order of mean().
  std::span<const double> variance() const { return {variance_.data(), static_cast<std::size_t>(sets_)}; }
  /// For layers: the mean of a set with its low part.
  double mean_in_double(index_t set) const { return static_cast<double>(means()[set]) + static_cast<double>(numbers_.data()[sets_ + set]); }
  /// For layers: numbers of their own that the backward wants; behind it this serves none until commit(), too.
  std::span<double> prepare_table(index_t size) {
    layer_ = std::string_view();
    table_.resize(size);
    return table_.span();
  }
  /// For layers: what prepare_table gave.
  std::span<double> table() { return table_.span(); }
  /// For layers: memory a backward may use as it likes.
  Buffer<std::byte>& scratch() { return scratch_; }

  /// For layers: the last act of a forward. `layer` must outlive this (a string literal); the statistic goes along for the backward.
  void commit(std::string_view layer, const Extents& extents, std::uint64_t roles, const Statistic& statistic) {
    layer_ = layer;
    extents_ = extents;
    roles_ = roles;
    statistic_ = statistic;
    second_ = Extents();
  }
  /// For layers with two inputs: the extents of the second, behind commit().
  void commit_second(const Extents& extents) { second_ = extents; }
  /// For layers: ShapeError unless this was written by a forward of the same layer kind, axes, groups and extents.
  void check(std::string_view layer, const Extents& extents, std::uint64_t roles) const {
    const std::string_view mine = layer_;
    if (mine.empty()) raise_shape_error(layer, ": backward wants the Saved of a forward, this one was never filled");
    if (mine != layer) raise_shape_error(layer, ": saved was written by ", mine);
    if (extents_ != extents) raise_shape_error(layer, ": saved belongs to x of extents ", extents_, ", x has ", extents);
    if (roles_ != roles) raise_shape_error(layer, ": saved was written for other axes, groups or processes");
  }
  /// For layers with two inputs, behind check(): the same for the extents of the second, called `name`.
  void check_second(const char* name, const Extents& extents) const {
    if (second_ != extents)
      raise_shape_error(std::string_view(layer_), ": saved belongs to ", name, " of extents ", second_, ", it has ", extents);
  }
  /// For layers: what commit() was handed.
  const Statistic& statistic() const { return statistic_; }

 private:
  bool uses_theirs() const { return their_mean_.data() != nullptr || their_rstd_.data() != nullptr; }
  T* means() const { return uses_theirs() ? their_mean_.data() : const_cast<T*>(numbers_.data()); }
  T* rstds() const { return uses_theirs() ? their_rstd_.data() : const_cast<T*>(numbers_.data()) + (centred_ ? 2 * index_t{sets_} : 0); }

  Buffer<T> numbers_;  // mean, its low part (centred only), rstd, its low part
  std::span<T> their_mean_, their_rstd_;
  Buffer<double> variance_;
  Buffer<double> table_;
  Buffer<std::byte> scratch_;
  LostByMove<index_t> sets_;
  bool centred_ = false;
  LostByMove<std::string_view> layer_;
  Extents extents_, second_;
  std::uint64_t roles_ = 0;
  Statistic statistic_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
