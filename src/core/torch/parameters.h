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

/// What becomes of the networks of a stack in steps that do not run them: momentum and weight decay move them, or they
/// rest (as torch leaves what has no gradient), for good or until the first step that runs them.
enum class Idle { kMoves, kRests, kRestsUntilRun };

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
  Idle idle = Idle::kMoves;  // all stacks of a group that may rest are of the same networks
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
  /// Of networks that may rest.
  Idle idle = Idle::kMoves;
  std::vector<int64_t> network_steps;
  std::vector<bool> moves;  // in this step
  /// Runs of scalars that share learning rate and step: [begin, end) with the rate's factor and the network that
  /// they are of; -1: of none that may rest.
  struct Run {
    int64_t begin, end;
    double lr_factor;
    int64_t network;
  };
  std::vector<Run> runs;
  Tensor lr_factors;  // on a device, where some are not 1: those of every scalar
  Tensor networks;    // on a device, where some may rest: 1 + the network of every scalar
  /// Counts a step; `ran`: whether it runs each network that may rest.
  void begin_step(const std::vector<bool>& ran);
  /// What of it changes from step to step, for a device: the rate of its moments' ratio and the factor of the
  /// second moment's root, then those of networks that may rest; both 0 of one that does.
  std::vector<double> rates() const;
  Tensor device_rates;  // (1 + networks that may rest) x 2
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
  /// Moments by name ("exp_avg/<name>", "exp_avg_sq/<name>"), and "network_steps" where networks may rest; with
  /// the numbers "step" and "lr".
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
  /// Begins a step of these optimisers: counts it, and tells the device what is new in it. `ran`: whether it runs
  /// each network that may rest.
  void begin_step(const std::vector<Group>& groups, const std::vector<bool>& ran = {});
  /// Forgets the moments of all three optimisers.
  void clear_moments();

 private:
  Tensor view(const Tensor& flat, const Parameter& p) const;
  /// Appends the runs of a parameter to those of its group.
  void add_runs(const Parameter& p);
  std::deque<Parameter> parameters_;
  std::deque<Buffer> buffers_;
  std::deque<int64_t> offsets_;
  std::vector<std::string> frozen_;  // beginnings of names
  std::array<Adam, kGroups> adams_;
  std::array<std::vector<Tensor>, kGroups> leaves_;
  Tensor device_rates_;  // the memory of the optimisers' device_rates
};

}  // namespace compert
