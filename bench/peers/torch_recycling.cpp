// The recycling allocator: a short list of blocks, searched by size from the latest on.
#include "torch_recycling.hpp"

#include <cstdlib>
#include <new>

namespace bench::libtorch {

c10::DataPtr RecyclingAllocator::allocate(std::size_t bytes) const {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) return {nullptr, cpu};
  for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block)
    if (!(*block)->in_use && (*block)->bytes == bytes) {
      (*block)->in_use = true;
      return {(*block)->memory, block->get(), &give_back, cpu};
    }
  void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (memory == nullptr) throw std::bad_alloc();
  blocks_.insert(blocks_.begin(), std::make_unique<Block>(Block{memory, bytes, false, true}));
  return {memory, blocks_.front().get(), &give_back, cpu};
}

void RecyclingAllocator::lend(void* memory, std::size_t bytes) {
  blocks_.push_back(std::make_unique<Block>(Block{memory, bytes, true, false}));
}

void RecyclingAllocator::release() {
  std::vector<std::unique_ptr<Block>> alive;
  for (auto& block : blocks_) {
    if (block->in_use)
      alive.push_back(std::move(block));  // libtorch keeps a few tiny tensors of its own
    else if (!block->lent)
      std::free(block->memory);
  }
  blocks_ = std::move(alive);
}

void RecyclingAllocator::give_back(void* block) { static_cast<Block*>(block)->in_use = false; }

RecyclingAllocator& allocator() {
  static RecyclingAllocator* instance = [] {
    auto* made = new RecyclingAllocator;  // outlives every tensor, those in libtorch's own statics included
    c10::SetAllocator(c10::DeviceType::CPU, made, 1);
    return made;
  }();
  return *instance;
}

Loan::Loan(std::initializer_list<Part> parts) {
  for (auto part = std::rbegin(parts); part != std::rend(parts); ++part) allocator().lend(part->memory, part->bytes);
}

}  // namespace bench::libtorch
