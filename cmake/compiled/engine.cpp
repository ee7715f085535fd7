// The engine for one instruction set, whose name is NORMA_TABLE: compiled once for each, with its own flags.
#include <string_view>

#include "table.hpp"
#if NORMA_ONE_SET
#include "instantiate.hpp"
#endif

namespace {

static_assert(std::string_view(NORMA_TEXT(NORMA_TABLE)) == NORMA_TEXT(NORMA_KERNELS),
              "norma: these are flags of another instruction set than the one that norma::compiled wants of this file");

template <class A, class U>
constexpr norma::EntriesOf<A, U> entries_of{&norma::normalize_operands<A, U>, &norma::normalize_operands_backward<A, U>,
                                            &norma::apply_statistics_to_operands<A, U>, &norma::normalize_rows<A, U>,
                                            &norma::differentiate_rows<A, U>};

template <class A>
constexpr norma::EntriesIn<A> entries_in{
    &norma::scale_operand<A>,
    &norma::read_pairs<A>,
    &norma::enter_forward<A>,
    &norma::leave_forward<A>,
    &norma::enter_backward<A>,
    &norma::leave_backward<A>,
    {&norma::row_op_of<A, norma::Identity>, &norma::row_op_of<A, norma::Relu>, &norma::row_op_of<A, norma::leaky_relu>,
     &norma::row_op_of<A, norma::clip>, &norma::row_op_of<A, norma::Sigmoid>, &norma::row_op_of<A, norma::Tanh>,
     &norma::row_op_of<A, norma::Silu>, &norma::row_op_of<A, norma::Gelu>, &norma::row_op_of<A, norma::GeluTanh>}};

}  // namespace

constinit const norma::Table NORMA_JOIN(norma_table_, NORMA_TABLE) = {
    NORMA_TEXT(NORMA_TABLE),
    entries_of<float, float>,
    entries_of<double, double>,
    entries_of<float, norma::bfloat16>,
    entries_of<float, norma::float16>,
    entries_in<float>,
    entries_in<double>,
    {&norma::access_of<float>, &norma::access_of<double>, &norma::access_of<norma::float16>, &norma::access_of<norma::bfloat16>,
     &norma::access_of<std::int8_t>}};
