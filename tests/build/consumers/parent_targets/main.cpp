// Whose Eigen and xsimd the compiler finds through norma::norma.
#include <Eigen/Core>
#include <norma/core/config.hpp>
#include <xsimd/xsimd.hpp>

#if !defined(EIGEN_OF_THE_PROJECT) || !defined(XSIMD_OF_THE_PROJECT) || !defined(NORMA_VERSION_MAJOR)
#error "this is not the Eigen and the xsimd of the project"
#endif

int main() {}
