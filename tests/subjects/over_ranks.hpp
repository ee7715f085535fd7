// A norm on ranks that are threads: each holds its part of an axis, of the batch (then all own all parameters, and gradients are summed
// over ranks) or of the normalized axes (then each owns its part of the parameters).
#pragma once

#include "support/subject.hpp"

namespace norma_test {

class OverRanks final : public Norm {
 public:
  /// ranks: what each holds; whole: the extents of the parameters, whose axis `axis` is dealt to ranks; negative: it is the batch.
  OverRanks(std::vector<std::unique_ptr<Norm>> ranks, Element type, const Setting& s, Extents whole, int axis);

  std::unique_ptr<Norm> copy() const override;
  void infer(const Call& c) const override;
  void train(const Call& c) override;
  void backward(const Call& c) override;
  void backward_frozen(const Call& c) override;

  std::vector<State> parameters() override { return states(0, first_buffer_); }
  std::vector<State> buffers() override { return states(first_buffer_, own_.size()); }
  void zero_grad() override;
  std::int64_t batches() const override;
  void set_batches(std::int64_t n) override;
  Values saved_mean() const override;
  Values saved_rstd() const override;
  void forget() override;
  void take_saved_of(Norm& other) override;
  void fill_by_another_layer(const Call& c) override;

 private:
  /// A parameter with its gradient, or a buffer, whole.
  struct Own {
    std::string name;
    AnyTensor value, grad;
  };
  std::vector<State> states(std::size_t first, std::size_t last) const;
  AnyView part_of(const AnyView& v, std::size_t rank, std::size_t axis) const;
  AnyView parameter_part(const AnyView& v, std::size_t rank) const;
  template <class F>
  void on_ranks(const Call& c, bool shared, F f) const;
  void hand_out() const;
  void bring_back() const;

  std::vector<std::unique_ptr<Norm>> ranks_;
  Element type_;
  Setting setting_;
  Extents whole_;
  int axis_;
  std::vector<Own> own_;
  std::size_t first_buffer_ = 0;
};

}  // namespace norma_test
