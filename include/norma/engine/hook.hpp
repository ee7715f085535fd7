// Hook: what a norm does itself with the sets of a piece between fold and map, behind a plain pointer.
#pragma once

#include <norma/engine/piece.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What of a call a hook must see at once: nothing where there is none, any sets, all channels of a sample, all samples of a channel, all.
enum class Span : unsigned char { none, sets, sample, channels, call };

/// f(table, piece); f must outlive this.
/// Forward (SetTable): it may replace statistics (put) or change what is made of them (reshape), before they are kept and mapped with.
/// Backward (SumsTable): it writes scale, slope and offset of each set, or completes the sums and calls the table's finish().
template <class Table>
struct Hook {
  Span span = Span::none;
  const void* context = nullptr;
  void (*run)(const void* context, Table& table, const Piece& piece) = nullptr;

  Hook() = default;
  template <class F>
  Hook(Span seen, const F& f)
      : span(seen), context(&f), run([](const void* c, Table& t, const Piece& p) { (*static_cast<const F*>(c))(t, p); }) {}

  bool present() const { return run != nullptr; }
  void operator()(Table& table, const Piece& piece) const { run(context, table, piece); }
};

/// What a norm changed between its statistics and its map, per set: y = (x_hat * gain + shift) * weight + bias. Null pointers: nothing.
struct Reshape {
  const double* gain = nullptr;
  const double* shift = nullptr;
  bool only_seen = false;  ///< the sums are a hook's; what is fused sees weight and bias in these, too

  bool present() const { return gain != nullptr; }
  bool changes_sums() const { return present() && !only_seen; }
};

/// Whether a backward replaces dx or adds to it.
enum class Result : unsigned char { replaced, added };

}}  // namespace norma::NORMA_ISA_NAMESPACE
