// norma::mpi(comm): a communicator on a caller's MPI_Comm, through MPI's C interface. Not part of norma.hpp.
#pragma once

#include <mpi.h>

#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>

#include <norma/core/communicator.hpp>

namespace norma {

/// Keeps the handle; never initialises, duplicates or finalises MPI. std::runtime_error if MPI reports a failure (by default MPI aborts
/// before it does).
class MpiCommunicator {
 public:
  /// Of a communicator whose ranks are this training's; MPI is initialised already.
  NORMA_INLINE explicit MpiCommunicator(MPI_Comm comm) : comm_(comm) {
    check(MPI_Comm_rank(comm_, &rank_));
    check(MPI_Comm_size(comm_, &size_));
  }
  ///@{
  /// This process, and how many there are.
  NORMA_INLINE int rank() const { return rank_; }
  NORMA_INLINE int size() const { return size_; }
  ///@}
  /// Fills `all` with every rank's `mine`, in rank order. std::runtime_error if MPI fails.
  NORMA_INLINE void all_gather(std::span<const double> mine, std::span<double> all) const {
    if (mine.size() > static_cast<std::size_t>((std::numeric_limits<int>::max)())) fail("more numbers than MPI can count");
    const int count = static_cast<int>(mine.size());
    check(MPI_Allgather(mine.data(), count, MPI_DOUBLE, all.data(), count, MPI_DOUBLE, comm_));
  }

 private:
  NORMA_INLINE static void check(int status) {
    if (status != MPI_SUCCESS) fail("an MPI call failed");
  }
  [[noreturn]] NORMA_INLINE static void fail([[maybe_unused]] const char* what) {
#if NORMA_EXCEPTIONS
    throw std::runtime_error(std::string("norma::mpi: ") + what);
#else
    std::abort();
#endif
  }

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
};

/// The communicator on an MPI_Comm that the caller keeps alive.
NORMA_INLINE MpiCommunicator mpi(MPI_Comm comm) { return MpiCommunicator(comm); }

}  // namespace norma
