// A second translation unit that includes all of norma: anything in the headers that is not inline breaks the link.
#include <norma/norma.hpp>

const char* instruction_set_elsewhere() { return norma::instruction_set(); }
