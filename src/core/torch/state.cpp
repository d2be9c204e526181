// Reading and writing the state of a fit.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "../io/hdf5.h"
#include "compert/model_file.h"
#include "impl.h"
#include "state_graphs.h"

namespace compert {
namespace {

using Json = nlohmann::json;
using hdf5::File;

const char* const kFormat = "compert-fit";

/// Writes arrays into `folder` as they come: doubles of a whole model would be as large as its file.
ParameterStore::Visit into(File& file, const std::string& folder, bool as_double) {
  file.create_group(folder);
  return [&file, folder, as_double](const std::string& name, Array&& array) {
    const hdf5::Shape shape(array.shape.begin(), array.shape.end());
    if (as_double) {
      file.write(folder + "/" + name, array.values.data(), shape);
    } else {
      const std::vector<float> narrow(array.values.begin(), array.values.end());
      file.write(folder + "/" + name, narrow.data(), shape);
    }
  };
}

void collect(const File& file, const std::string& folder, const std::string& prefix,
             NamedArrays& out) {
  for (const auto& child : file.children(folder + prefix)) {
    const std::string name = prefix.empty() ? child : prefix.substr(1) + "/" + child;
    const std::string path = folder + "/" + name;
    if (file.is_group(path)) {
      collect(file, folder, "/" + name, out);
      continue;
    }
    hdf5::Shape shape;
    Array array;
    array.values = file.read<double>(path, &shape);
    array.shape.assign(shape.begin(), shape.end());
    out[name] = std::move(array);
  }
}

NamedArrays read(const File& file, const std::string& folder) {
  NamedArrays out;
  collect(file, folder, "", out);
  return out;
}

std::string group_path(Group g) { return std::string("optimizer/") + group_name(g); }

File open(const std::vector<uint8_t>& image) {
  File file = File::from_image(image);
  if (!file.has_attribute("/", "format") || file.attribute_string("/", "format") != kFormat)
    throw Error("file", "must be a fit saved by compert", "this HDF5 file is something else");
  const int64_t version = file.attribute_int("/", "version");
  if (version > kModelFileVersion)
    throw Error("file", "must be of a version that this compert can read",
                "version " + std::to_string(version) + ", known up to " +
                    std::to_string(kModelFileVersion),
                "Update compert");
  if (version < kModelFileVersion)
    throw Error("file", "must be of a version that this compert can read",
                "version " + std::to_string(version) + ", known from " +
                    std::to_string(kModelFileVersion),
                "Fit again: networks were named otherwise then");
  return file;
}

std::vector<EpochRecord> read_history(const File& file) {
  std::vector<EpochRecord> out;
  for (const EpochColumn& column : epoch_columns()) {
    const std::string path = "history/" + column.name;
    if (!file.exists(path)) continue;  // younger than the file
    const auto values = file.read<double>(path);
    out.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) column.set(out[i], values[i]);
  }
  return out;
}

Architecture read_architecture(const File& file) {
  const Json json = Json::parse(file.read_string("architecture"));
  Architecture a;
  a.n_genes = json.at("n_genes");
  a.n_proteins = json.value("n_proteins", int64_t{0});
  a.n_perturbations = json.at("n_perturbations");
  a.covariate_levels = json.at("covariate_levels").get<std::vector<int64_t>>();
  a.n_continuous = json.value("n_continuous", int64_t{0});
  a.batch_covariate = json.at("batch_covariate");
  // The values of both are among the weights.
  a.n_features = json.at("n_features");
  if (const int64_t without = json.at("n_without_features"); without > 0) {
    a.has_features.assign(static_cast<std::size_t>(a.n_perturbations), 1);
    std::fill_n(a.has_features.begin(), without, 0.0);  // which ones is among the weights too
  }
  a.n_genes_inner = json.at("n_genes_inner");
  a.graphs = read_graphs(file);
  a.control = json.at("control");
  a.measured_perturbation = json.at("measured_perturbation").get<std::vector<int32_t>>();
  a.measured_dose = json.at("measured_dose").get<std::vector<double>>();
  a.condition_weight.assign(json.at("n_conditions").get<std::size_t>(), 1);
  return a;
}

/// Errors of HDF5 and JSON inside a damaged file, said once and alike.
template <class Body>
auto reading(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& e) {
    if (e.argument() == "file" || e.argument() == "device" || e.argument() == "precision") throw;
    throw Error("file", "must be a whole fit saved by compert", e.what(), "Is it truncated?");
  } catch (const std::exception& e) {
    throw Error("file", "must be a whole fit saved by compert", e.what(), "Is it truncated?");
  }
}

}  // namespace

std::vector<uint8_t> Model::Impl::state(const std::string& meta) const {
  File file = File::create_image();
  file.set_attribute("/", "format", kFormat);
  file.set_attribute("/", "version", kModelFileVersion);
  file.write_string("meta", meta);
  file.write_string("settings", settings_to_json(settings));
  file.write_string("architecture", Json{{"n_genes", architecture.n_genes},
                                         {"n_proteins", architecture.n_proteins},
                                         {"n_perturbations", architecture.n_perturbations},
                                         {"covariate_levels", architecture.covariate_levels},
                                         {"n_continuous", architecture.n_continuous},
                                         {"batch_covariate", architecture.batch_covariate},
                                         {"n_features", architecture.n_features},
                                         {"n_without_features", architecture.n_without_features()},
                                         {"n_genes_inner", architecture.n_genes_inner},
                                         {"control", architecture.control},
                                         {"measured_perturbation", architecture.measured_perturbation},
                                         {"measured_dose", architecture.measured_dose},
                                         {"n_conditions", architecture.n_conditions()}}
                                        .dump());
  write_graphs(file, architecture.graphs);
  const bool as_double = settings.precision == "float64";
  network.store().each_value(into(file, "weights", as_double));
  if (last) {
    auto& store = const_cast<ParameterStore&>(network.store());
    const auto best = store.snapshot();
    store.restore(*last);
    try {
      store.each_value(into(file, "last", as_double));
    } catch (...) {
      store.restore(best);
      throw;
    }
    store.restore(best);
  }
  for (const Group g : kOptimised) {
    const Adam& adam = network.store().adam(g);
    file.write_scalar(group_path(g) + "/step", static_cast<double>(adam.step));
    file.write_scalar(group_path(g) + "/lr", adam.lr);
    network.store().each_moment(g, into(file, group_path(g), as_double));
  }
  for (const EpochColumn& column : epoch_columns()) {
    std::vector<double> values;
    for (const auto& record : history) values.push_back(column.get(record));
    file.write("history/" + column.name, values);
  }
  file.create_group("training");
  file.set_attribute("training", "iteration", iteration);
  file.set_attribute("training", "optimizer_steps", optimizer_steps);
  file.set_attribute("training", "epochs_done", epochs_done);
  file.set_attribute("training", "scheduler_steps", scheduler_steps);
  file.set_attribute("training", "trials", trials);
  file.set_attribute("training", "best_score", best_score);
  file.set_attribute("training", "best_epoch", best_epoch);
  file.set_attribute("training", "weights_are_best", static_cast<int64_t>(weights_are_best));
  file.set_attribute("training", "start_output", static_cast<int64_t>(start_output));
  if (start_output && !kept_outputs.empty())
    file.write("training/kept_outputs", std::vector<int8_t>(kept_outputs.begin(), kept_outputs.end()));
  file.set_attribute("training", "n_parameters", network.store().n_parameters());
  return file.image();
}

std::unique_ptr<Model::Impl> Model::Impl::read_state(const std::vector<uint8_t>& image, Use use,
                                                     const Settings* run) {
  return reading([&] {
    const File file = open(image);
    Settings s = settings_from_json(file.read_string("settings"));
    // A fit made on a GPU opens anywhere.
    if (s.device != "cpu") s.device = "auto";
    // What the network reads when it is made.
    if (run != nullptr) {
      s.device = run->device;
      s.protein_background = run->protein_background;
    }
    return translate([&] {
      auto impl = std::make_unique<Impl>(read_architecture(file), s, use);
      ParameterStore& store = impl->network.store();
      if (use == Use::kResume && file.exists("last")) {
        store.set_values(read(file, "last"), true);
        impl->last = store.snapshot();
      }
      store.set_values(read(file, "weights"), true);
      impl->history = read_history(file);
      if (use == Use::kPredict) return impl;
      for (const Group g : kOptimised) store.set_adam_state(g, read(file, group_path(g)));
      impl->iteration = file.attribute_int("training", "iteration");
      impl->optimizer_steps = file.attribute_int("training", "optimizer_steps");
      impl->epochs_done = file.attribute_int("training", "epochs_done");
      impl->scheduler_steps = file.attribute_int("training", "scheduler_steps");
      impl->trials = file.attribute_int("training", "trials");
      impl->best_score = file.attribute_number("training", "best_score");
      impl->best_epoch = file.attribute_int("training", "best_epoch");
      // Older files do not say so: those of finished fits are.
      impl->weights_are_best = file.has_attribute("training", "weights_are_best")
                                   ? file.attribute_int("training", "weights_are_best") != 0
                                   : impl->best_epoch > 0 && (impl->last || impl->best_epoch == impl->epochs_done);
      impl->start_output = file.attribute_int("training", "start_output") != 0;
      if (file.exists("training/kept_outputs")) {
        const auto kept = file.read<int8_t>("training/kept_outputs");
        impl->kept_outputs.assign(kept.begin(), kept.end());
      }
      impl->reset_learning_rates();
      return impl;
    });
  });
}

Model Model::from_state(const std::vector<uint8_t>& image) {
  return Model(Impl::read_state(image, Use::kResume));
}

Model Model::from_state(const std::vector<uint8_t>& image, const Settings& run) {
  Model out(Impl::read_state(image, Use::kResume, &run));
  out.set_run_settings(run);
  return out;
}

Model Model::for_prediction(const std::vector<uint8_t>& image) {
  return Model(Impl::read_state(image, Use::kPredict));
}

std::string state_meta(const std::vector<uint8_t>& image) {
  return reading([&] { return open(image).read_string("meta"); });
}

StateInfo state_info(const std::vector<uint8_t>& image) {
  return reading([&] {
    const File file = open(image);
    StateInfo info;
    info.settings = file.read_string("settings");
    info.n_parameters = file.attribute_int("training", "n_parameters");
    info.epochs_done = file.attribute_int("training", "epochs_done");
    info.best_epoch = file.attribute_int("training", "best_epoch");
    return info;
  });
}

std::vector<EpochRecord> state_history(const std::vector<uint8_t>& image) {
  return reading([&] { return read_history(open(image)); });
}

}  // namespace compert
