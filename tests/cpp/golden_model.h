/// The comparison of a model with a golden file, the same for every reference whose parameters are
/// named as torch's Sequential names them (facebookresearch/CPA and what descends from it).
#pragma once
#include <string>
#include <vector>

#include "compert/inspect.h"
#include "golden_file.h"

namespace golden {

/// Settings and sizes of the reference's model in a file.
struct Reference {
  compert::Architecture architecture;
  compert::Settings settings;
};

/// Cells and their design, from dense arrays of the file.
struct Minibatch {
  Array genes;
  compert::Design design;
  compert::DenseCells cells() const {
    return compert::DenseCells(genes.values.data(), genes.cols(), genes.rows());
  }
};

/// How the files of one reference say things.
class Format {
 public:
  virtual ~Format() = default;
  virtual Reference reference(const File& file, const std::string& precision) const = 0;
  virtual compert::Design design(const File& file, const std::string& path,
                                 const std::vector<Array>& covariates) const = 0;
  /// The cells of a mini-batch; by default its genes and covariates.
  virtual Minibatch minibatch(const File& file, const std::string& path,
                              const Reference& reference) const;
  /// Randomness and epoch of update k, of which -1 is the single step; `means`: latent states without
  /// draws.
  virtual compert::Inspector::Recorded recorded(const File&, int /*k*/, bool /*means*/) const {
    return {};
  }
  /// Rules of the torch that made the file, where they matter.
  virtual void prepare(compert::Inspector&) const {}
  /// A parameter whose exact gradient is zero in some of the updates, so that Adam moves it by round-off
  /// there, a learning rate at a time; or a reported loss that sees it. Single precision tells nothing of
  /// the one and little of the other.
  virtual bool moved_by_round_off(const File&, const std::string& /*name*/) const { return false; }
  /// Our name of a parameter; empty where our model has none, because the reference never uses it.
  virtual std::string parameter(const File& file, const std::string& name) const;
  /// Our name of an output of the forward pass or of a loss.
  virtual std::string output(const File& file, const std::string& name) const;
  /// Adds outputs that only this reference has.
  virtual void complete(const File&, compert::NamedArrays& /*forward*/) const {}
};

/// Column of the largest entry of a row.
int32_t argmax(const Array& one_hot, std::size_t row);
/// Drugs as dose vectors, one column per drug; covariates one-hot.
compert::Design design_of_doses(const Array& drugs, const std::vector<Array>& covariates);
/// Levels of the covariates, as the shapes of their embeddings tell.
std::vector<int64_t> covariate_levels(const File& file);
/// The file's parameters under our names.
compert::NamedArrays parameters(const File& file, const Format& format, const compert::Model& model);

/// Compares everything that the file holds in that precision ("f64" or "f32").
void compare_model(const File& file, const std::string& precision, const Format& format, Tally& tally,
                   const std::string& device = "cpu");
/// The same for all files of a prefix; prints the table, and checks that there were files and no
/// failures.
void compare_models(const std::string& prefix, const Format& format, const std::string& device);

}  // namespace golden
