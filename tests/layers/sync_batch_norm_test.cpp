// SyncBatchNorm and BatchRenorm over ranks that are threads of this process: agreement with one process, bits, errors.
#include <norma/norma.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/shared_batch.hpp"

namespace norma_test {
namespace {

/// The least a communicator can be.
struct Mine {
  int rank() const;
  int size() const;
  void all_gather(std::span<const double> mine, std::span<double> all) const;
};
static_assert(norma::Communicator<Mine>);
static_assert(!norma::Communicator<norma::Sequential> && !norma::Executor<Mine>);

class SyncBatchNorm : public testing::TestWithParam<SharedCase> {};
class BatchRenormOverRanks : public testing::TestWithParam<SharedCase> {};

template <class Kind, class T>
void check_split(const SharedCase& c) {
  const SharedBatch<Kind, T> batch(c.batch);
  const std::vector<std::ptrdiff_t> samples = c.samples();
  ThreadRanks(static_cast<int>(samples.size())).run([&](const ThreadRanks::Rank& rank) { batch.check(rank, samples); });
  if (samples.size() == 1) batch.check(LoneRank(), samples);
}

TEST_P(SyncBatchNorm, AgreesWithOneProcessF32) { check_split<SyncKind, float>(GetParam()); }
TEST_P(SyncBatchNorm, AgreesWithOneProcessF64) { check_split<SyncKind, double>(GetParam()); }
TEST_P(BatchRenormOverRanks, AgreesWithOneProcessF32) { check_split<RenormKind, float>(GetParam()); }
TEST_P(BatchRenormOverRanks, AgreesWithOneProcessF64) { check_split<RenormKind, double>(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Splits, SyncBatchNorm, testing::ValuesIn(all_shared_cases()), CaseName());
INSTANTIATE_TEST_SUITE_P(Splits, BatchRenormOverRanks, testing::ValuesIn(all_shared_cases()), CaseName());

}  // namespace
}  // namespace norma_test
