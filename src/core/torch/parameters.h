// Parameters of a model, kept as views into one flat buffer per optimiser, so that zeroing the
// gradients and the Adam update are one sweep each.
#pragma once
#include <array>
#include <deque>
#include <functional>
#include <string>

#include "torch_util.h"

namespace compert {

/// The optimiser of a parameter; those of kFixed are never moved.
enum class Group { kAutoencoder, kAdversaries, kDosers, kFixed };
constexpr std::size_t kGroups = 4;
constexpr Group kOptimised[] = {Group::kAutoencoder, Group::kAdversaries, Group::kDosers};
const char* group_name(Group group);

/// What a model is made for. One that is read from a state gets every value from there, so none is drawn;
/// one that only predicts has no moments.
enum class Use { kFit, kResume, kPredict };

struct Parameter {
  /// Name in the model's state. A '*' stands for the index along the first dimension: such a
  /// parameter is a stack of `size(0)` equally shaped ones, each saved under its own name.
  std::string name;
  Tensor value;
  Group group;
  /// Stored as its transpose (for the first layer, whose rows are then contiguous per gene).
  bool transposed = false;
  /// Multiplies the group's learning rate.
  double lr_factor = 1;
  bool is_stack() const { return name.find('*') != std::string::npos; }
};

struct Buffer {
  std::string name;
  Tensor value;
};

/// Adam (Kingma and Ba 2015) with L2 weight decay added to the gradient, as torch.optim.Adam.
struct Adam {
  double lr = 1e-3;
  double weight_decay = 0;
  int64_t step = 0;
  Tensor value, grad, exp_avg, exp_avg_sq;  // flat, one entry per scalar parameter
  /// Runs of scalars that share a learning rate: [begin, end) with its factor.
  struct Run {
    int64_t begin, end;
    double lr_factor;
  };
  std::vector<Run> runs;
  Tensor lr_factors;  // on a device, where some are not 1: those of every scalar
  /// What of it changes from step to step, for a device: the rate of its moments' ratio, and the factor of
  /// the second moment's root.
  std::array<double, 2> rates() const;
  Tensor device_rates;
  /// Takes the step that ParameterStore::begin_step() began. On a processor the gradient is 0 afterwards.
  void update();
  /// Scales the gradient down to the norm `most` and returns the norm it had; undefined where 0 leaves it.
  Tensor clip(double most);
  void zero_grad();

 private:
  void update_on_device();
  bool zeroed_ = false;  // and nothing has been added since
};

class ParameterStore {
 public:
  /// Parts, joined with commas, whose parameters are put into the group that is never moved.
  void freeze(const std::string& parts);
  /// `init` gives shape, type and first value. Pointers stay valid for the life of the store.
  Parameter* add(std::string name, const Tensor& init, Group group, bool transposed = false,
                 double lr_factor = 1);
  Buffer* add_buffer(std::string name, const Tensor& init);
  /// Moves every parameter into its group's flat buffer; call once, after the last `add()`.
  void pack(at::Device device, Use use);

  Adam& adam(Group group) { return adams_[static_cast<std::size_t>(group)]; }
  const Adam& adam(Group group) const { return adams_[static_cast<std::size_t>(group)]; }
  /// The leaves of one group, for `backward(inputs)`.
  const std::vector<Tensor>& leaves(Group group) const {
    return leaves_[static_cast<std::size_t>(group)];
  }
  std::deque<Parameter>& parameters() { return parameters_; }
  /// Whether it was put aside by `freeze()`.
  bool is_frozen(const std::string& name) const;

  using Visit = std::function<void(const std::string& name, Array&& array)>;
  /// Values of parameters and buffers by name; one at a time, or all at once.
  void each_value(const Visit& visit) const;
  NamedArrays values() const;
  /// Sets those named; every array must exist here and have the right shape. `complete` demands
  /// that all are named.
  void set_values(const NamedArrays& arrays, bool complete);
  NamedArrays gradients() const;
  /// Moments by name ("exp_avg/<name>", "exp_avg_sq/<name>"); with the numbers "step" and "lr".
  void each_moment(Group group, const Visit& visit) const;
  NamedArrays adam_state(Group group) const;
  void set_adam_state(Group group, const NamedArrays& arrays);
  int64_t n_parameters() const;

  /// Everything that training changes in the weights: flat buffers of parameters, then buffers.
  std::vector<Tensor> weights() const;
  /// Whether all of them are.
  bool is_finite() const;
  /// Copies of them, to go back to them.
  struct Snapshot {
    std::vector<Tensor> tensors;
  };
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);
  /// Begins a step of these optimisers: counts it, and tells the device what is new in it.
  void begin_step(const std::vector<Group>& groups);
  /// Forgets the moments of all three optimisers.
  void clear_moments();

 private:
  Tensor view(const Tensor& flat, const Parameter& p) const;
  std::deque<Parameter> parameters_;
  std::deque<Buffer> buffers_;
  std::deque<int64_t> offsets_;
  std::vector<std::string> frozen_;  // beginnings of names
  std::array<Adam, kGroups> adams_;
  std::array<std::vector<Tensor>, kGroups> leaves_;
  Tensor device_rates_;  // the memory of the optimisers' device_rates
};

}  // namespace compert
