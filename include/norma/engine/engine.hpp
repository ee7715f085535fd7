// The engine: its entries, and what they are unless norma::compiled has it.
#pragma once

#include <norma/engine/entries.hpp>
#include <norma/engine/fused_backward.hpp>
#include <norma/engine/fused_forward.hpp>
#if NORMA_ENGINE_HERE
#include <norma/engine/backward_blocks.hpp>
#include <norma/engine/forward_blocks.hpp>
#include <norma/engine/row_calls.hpp>
#include <norma/engine/tensor_pair.hpp>
#endif
