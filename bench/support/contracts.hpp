// The roundings of results of 16 and 8 bits, element by element.
#pragma once

namespace bench {

/// Prints, for each contract of rounding, norm and element type, the share of 1.05e7 elements that are the exact results rounded as the
/// contract says, and the largest error in units of the last place, beyond what the bound of float allows before
/// the rounding; for libtorch's LayerNorm of bfloat16, too.
void print_contracts();

}  // namespace bench
