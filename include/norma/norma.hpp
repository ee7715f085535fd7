// norma: normalization layers on strided tensors, forward and backward. Every norm, and Eigen's and xtensor's objects as tensors;
// <norma/interop/openmp.hpp>, tbb.hpp, mpi.hpp and dlpack.hpp are included by who uses them. See README.md.
#pragma once

// What a tensor is
#include <norma/core/communicator.hpp>
#include <norma/core/execution.hpp>
#include <norma/core/tensor_view.hpp>
#include <norma/core/view.hpp>
#include <norma/interop/xtensor.hpp>

// Norms of (N, C, spatial...)
#include <norma/layers/batch_instance_norm.hpp>
#include <norma/layers/batch_norm.hpp>
#include <norma/layers/batch_renorm.hpp>
#include <norma/layers/fold_batch_norm.hpp>
#include <norma/layers/group_norm.hpp>
#include <norma/layers/instance_norm.hpp>
#include <norma/layers/mean_only_batch_norm.hpp>
#include <norma/layers/switchable_norm.hpp>
#include <norma/layers/sync_batch_norm.hpp>

// Norms over the axes of a sample
#include <norma/layers/layer_norm.hpp>
#include <norma/layers/rms_norm.hpp>

// Queries and keys of attention
#include <norma/layers/qk_norm.hpp>

// Weights
#include <norma/weights/weight_norm.hpp>

// Trained parameters
#include <norma/doors/load.hpp>

// What needs Eigen, where there is one: its objects as tensors, and SpectralNorm
#if __has_include(<Eigen/Core>)
#include <norma/interop/eigen.hpp>
#include <norma/weights/spectral_norm.hpp>
#endif
