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

}}  // namespace norma::NORMA_ISA_NAMESPACE
