// Eigen, which two headers of norma use: as tensors, and for the matrix products of SpectralNorm. The rest does without.
#pragma once

#include <norma/core/config.hpp>

#if defined(__has_include)
#if !__has_include(<Eigen/Core>)
#error "norma: Eigen was not found; <norma/interop/eigen.hpp> and SpectralNorm need 3.4 or newer (Debian: libeigen3-dev)"
#endif
#endif

#include <Eigen/Core>

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "norma: this Eigen is too old; install 3.4 or newer (Debian: libeigen3-dev), or put a newer one first on the include path"
#include NORMA_STOP
#endif
