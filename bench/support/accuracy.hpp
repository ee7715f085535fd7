// The accuracy of norma and of its peers side by side, on the same data.
#pragma once

namespace bench {

/// Prints, for LayerNorm and RMSNorm in float, the worst error of y of every implementation, for means from 0 to a million standard
/// deviations, over rows of 1 to 70,000 elements. The unit is the error that is unavoidable within a small factor:
///   4 eps (|y - bias| + |bias|) + 2 eps kappa |weight|,  kappa = sqrt(1 + mean^2 / (variance + eps))  (RMSNorm: kappa = 1),
/// so that 1.00 means the bound is just kept.
void print_accuracy();

}  // namespace bench
