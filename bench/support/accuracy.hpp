// The accuracy of norma and of its peers side by side, on the same data.
#pragma once

namespace bench {

/// Prints, for the row norms and the channel norms in float, the worst error of y of every implementation: rows of 1 to 70,000 elements
/// with means up to a million standard deviations, planes in both layouts with means up to ten thousand. The unit is the error that is
/// unavoidable within a small factor:
///   4 eps (|y - bias| + |bias|) + 2 eps kappa |weight|,  kappa = sqrt(1 + mean^2 / (variance + eps))  (RMSNorm: kappa = 1),
/// so that 1.00 means the bound is just kept.
void print_accuracy();

}  // namespace bench
