// Taking weights over from one model to another, and parts that are not trained.
#include <random>

#include "catch_compat.h"
#include "compert/error.h"
#include "compert/transfer.h"
#include "quiet.h"

namespace {

using compert::Design;
using compert::Model;
using Vector = std::vector<double>;

/// Cells of three drugs and a control in two lines, effects planted.
struct Cells {
  std::size_t genes;
  Vector x;
  Design design;
  std::vector<int64_t> all;
  Cells(std::size_t n_genes, std::size_t n, uint64_t seed) : genes(n_genes) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    design.n = n;
    design.n_covariates = 1;
    for (std::size_t i = 0; i < n; ++i) {
      const auto p = static_cast<int32_t>(i % 4);
      for (std::size_t g = 0; g < genes; ++g)
        x.push_back(2 + 0.3 * normal(random) + (static_cast<int32_t>(g % 4) == p ? 1 : 0));
      design.perturbation.push_back(p);
      design.dose.push_back(p == 0 ? 0 : 1);
      design.covariate.push_back(static_cast<int32_t>(i / 4 % 2));
      all.push_back(static_cast<int64_t>(i));
    }
  }
  compert::DenseCells source() const { return {x.data(), genes, design.n}; }
};

compert::Settings settings(const std::string& more = "") {
  return compert::settings_from_json(
      "{\"model\":\"chemcpa\",\"dim\":6,\"autoencoder_width\":10,\"epochs\":2,\"threads\":1,"
      "\"batch_size\":16,\"device\":\"cpu\",\"embedding_encoder_width\":7,\"dosers_width\":5" + more + "}");
}

compert::Architecture sizes(std::size_t genes) {
  compert::Architecture a;
  a.n_genes = static_cast<int64_t>(genes);
  a.n_perturbations = 4;
  a.covariate_levels = {2};
  a.condition_weight.assign(4, 1);
  a.n_features = 3;
  a.features = {0, 0, 0, 1, 0, 1, 0, 1, -1, 1, 1, 0};
  return a;
}

Model trained(std::size_t genes, const compert::Settings& s) {
  const Cells cells(genes, 64, 5);
  Model model(sizes(genes), s);
  Quiet quiet;
  model.fit(cells.source(), cells.design, cells.all, {}, "", quiet);
  return model;
}

compert::Correspondence same(int64_t genes) {
  compert::Correspondence map;
  for (int64_t g = 0; g < genes; ++g) map.gene.push_back(g);
  map.perturbation = {0, 1, 2, 3};
  map.covariate = {0};
  map.level = {{0, 1}};
  return map;
}

bool is_adversary(const std::string& name) { return name.rfind("adversary_", 0) == 0; }

}  // namespace

TEST_CASE("with layers for other genes the trained network stays whole, to the bit", "[transfer]") {
  const Model before = trained(12, settings());
  compert::Architecture a = sizes(20);
  a.n_genes_inner = 12;
  Model after(a, settings());
  const auto fresh = after.values();
  const auto table = compert::transfer(before, after, same(12));
  const auto was = before.values(), is = after.values();
  for (const auto& each : table) {
    INFO(each.name);
    const bool ours = each.name.find(".henc_") != std::string::npos ||
                      each.name.find(".hdec_") != std::string::npos;
    const bool data = each.name == "perturbation_features";
    if (ours || is_adversary(each.name)) {
      CHECK(each.kept == 0);
      CHECK(is.at(each.name).values == fresh.at(each.name).values);
    } else if (!data) {
      CHECK(each.kept == each.values);
      CHECK(is.at(each.name).shape == was.at(each.name).shape);
      CHECK(is.at(each.name).values == was.at(each.name).values);
    }
  }
  // Names as theislab/chemCPA has them.
  CHECK(is.at("encoder.network.henc_linear.weight").shape == std::vector<int64_t>{12, 20});
  CHECK(is.at("encoder.network.henc_bn.weight").shape == std::vector<int64_t>{12});
  CHECK(is.at("decoder.network.hdec_bn.weight").shape == std::vector<int64_t>{24});
  CHECK(is.at("decoder.network.hdec_linear.weight").shape == std::vector<int64_t>{40, 24});
  // It trains, is saved and comes back.
  const Cells cells(20, 48, 6);
  Quiet quiet;
  after.fit(cells.source(), cells.design, cells.all, {}, "", quiet);
  const Model again = Model::from_state(after.state("{}"));
  CHECK(again.architecture().n_genes_inner == 12);
  for (const auto& [name, array] : after.values()) CHECK(again.values().at(name).values == array.values);
}

TEST_CASE("dispersions of other genes are new", "[transfer]") {
  const Model before = trained(12, settings(",\"loss_ae\":\"nb\""));
  compert::Architecture a = sizes(20);
  a.n_genes_inner = 12;
  Model after(a, settings(",\"loss_ae\":\"nb\""));
  const auto fresh = after.values();
  compert::transfer(before, after, same(12));
  CHECK(after.values().at("dispersion").values == fresh.at("dispersion").values);
}

TEST_CASE("layers for other genes go along with these genes", "[transfer]") {
  compert::Architecture a = sizes(3);
  a.n_genes_inner = 12;
  const std::string counts = R"(,"loss_ae":"nb","reg_multi_task":1)";
  Model wide(a, settings(counts)), after(a, settings(counts + ",\"seed\":5"));
  compert::Correspondence map = same(12);
  map.own_gene = {2, -1, 0};
  const auto was = wide.values(), fresh = after.values();
  compert::transfer(wide, after, map);
  const auto is = after.values();
  for (std::size_t g = 0; g < 3; ++g) {
    const bool known = map.own_gene[g] >= 0;
    const auto& from = known ? was : fresh;
    const std::size_t k = known ? static_cast<std::size_t>(map.own_gene[g]) : g;
    for (const char* name : {"dispersion", "degs_predictor.network.3.bias"})
      CHECK(is.at(name).values[g] == from.at(name).values[k]);
    for (std::size_t inner = 0; inner < 12; ++inner) {
      const auto at = [&](const compert::NamedArrays& v, std::size_t gene) {
        return std::make_pair(v.at("encoder.network.henc_linear.weight").values[inner * 3 + gene],
                              v.at("decoder.network.hdec_linear.weight").values[gene * 12 + inner]);
      };
      CHECK(at(is, g) == at(from, k));
    }
  }
  map.own_gene = {3, -1, 0};
  CHECK_THROWS_AS(compert::transfer(wide, after, map), compert::Error);
}

TEST_CASE("genes, perturbations and levels are taken by correspondence", "[transfer]") {
  const Model before = trained(12, settings(",\"doser_type\":\"sigm\""));
  const int64_t genes = 5, old_genes = 12;
  Model after(sizes(genes), settings(",\"doser_type\":\"sigm\""));
  compert::Correspondence map;
  map.gene = {7, -1, 0, 11, 3};
  map.perturbation = {0, -1, 1, -1};
  map.covariate = {0};
  map.level = {{1, -1}};
  const auto fresh = after.values();
  compert::transfer(before, after, map);
  const auto was = before.values(), is = after.values();
  const auto at = [](const compert::NamedArrays& a, const std::string& name, int64_t i, int64_t j) {
    const auto& array = a.at(name);
    const int64_t columns = array.shape.size() > 1 ? array.shape[1] : 1;
    return array.values.at(static_cast<std::size_t>(i * columns + j));
  };
  for (int64_t g = 0; g < genes; ++g) {
    const int64_t from = map.gene[static_cast<std::size_t>(g)];
    const auto& source = from < 0 ? fresh : was;
    for (int64_t h = 0; h < 10; ++h)
      CHECK(at(is, "encoder.network.0.weight", h, g) ==
            at(source, "encoder.network.0.weight", h, from < 0 ? g : from));
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t h = 0; h < 10; ++h)
        CHECK(at(is, "decoder.network.3.weight", half * genes + g, h) ==
              at(source, "decoder.network.3.weight",
                 from < 0 ? half * genes + g : half * old_genes + from, h));
  }
  CHECK(at(is, "dosers.beta", 0, 2) == at(was, "dosers.beta", 0, 1));
  CHECK(at(is, "dosers.beta", 0, 1) == 1);
  CHECK(at(is, "covariates_embeddings.0.weight", 0, 2) == at(was, "covariates_embeddings.0.weight", 1, 2));
  CHECK(at(is, "covariates_embeddings.0.weight", 1, 2) == at(fresh, "covariates_embeddings.0.weight", 1, 2));
  map.gene.pop_back();
  CHECK_THROWS_AS(compert::transfer(before, after, map), compert::Error);
}

TEST_CASE("frozen parts do not move, the others do", "[transfer]") {
  const compert::Settings s = settings(",\"frozen\":\"encoder,dosers\"");
  const Cells cells(12, 64, 5);
  Model model(sizes(12), s);
  const auto before = model.values();
  Quiet quiet;
  model.fit(cells.source(), cells.design, cells.all, {}, "", quiet);
  const auto after = model.values();
  for (const auto& [name, array] : before) {
    INFO(name);
    const bool frozen = (name.rfind("encoder.", 0) == 0 || name.rfind("dosers.", 0) == 0) &&
                        name.find("running_") == std::string::npos &&
                        name.find("num_batches") == std::string::npos;
    if (frozen) CHECK(after.at(name).values == array.values);
    if (name == "decoder.network.3.weight" || name == "drug_embedding_encoder.network.0.weight")
      CHECK(after.at(name).values != array.values);
  }
  CHECK_THROWS_AS(settings(",\"frozen\":\"head\""), compert::Error);
}

TEST_CASE("molecules that come later change nothing else", "[transfer]") {
  const Model before = trained(12, settings());
  const Model after = compert::with_perturbations(before, {1, 0, 1, 0.5, 0.5, 0});
  CHECK(after.architecture().n_perturbations == 6);
  CHECK(after.history().size() == before.history().size());
  Design rows;
  rows.n = 2;
  rows.perturbation = {1, 2};
  rows.dose = {1, 0.5};
  rows.n_covariates = 1;
  rows.covariate = {-1, -1};
  CHECK(after.perturbation_embedding(rows) == before.perturbation_embedding(rows));
  // The fifth has the features of the second.
  rows.perturbation = {1, 4};
  rows.dose = {1, 1};
  const Vector z = after.perturbation_embedding(rows);
  CHECK(Vector(z.begin(), z.begin() + 6) == Vector(z.begin() + 6, z.end()));
  CHECK_THROWS_AS(compert::with_perturbations(before, {1, 0}), compert::Error);
}

TEST_CASE("levels that come later have the mean of others, and change nothing else", "[transfer]") {
  const Model before = trained(12, settings());
  const Model after = compert::with_levels(before, 0, 2, {0, 1});
  CHECK(after.architecture().covariate_levels == std::vector<int64_t>{4});
  CHECK(after.history().size() == before.history().size());
  const auto was = before.values(), is = after.values();
  for (const auto& [name, array] : was) {
    if (is_adversary(name)) continue;
    INFO(name);
    const Vector& now = is.at(name).values;
    CHECK(Vector(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(array.values.size())) == array.values);
  }
  const Vector& vectors = is.at("covariates_embeddings.0.weight").values;
  for (std::size_t j = 0; j < 6; ++j) {
    CHECK(vectors[12 + j] == Approx((vectors[j] + vectors[6 + j]) / 2));
    CHECK(vectors[18 + j] == vectors[12 + j]);
  }
  CHECK(compert::with_levels(before, 0, 1, {1}).values().at("covariates_embeddings.0.weight").values.back() ==
        was.at("covariates_embeddings.0.weight").values.back());
  CHECK_THROWS_AS(compert::with_levels(before, 1, 1, {0}), compert::Error);
  CHECK_THROWS_AS(compert::with_levels(before, 0, 1, {}), compert::Error);
  CHECK_THROWS_AS(compert::with_levels(before, 0, 1, {2}), compert::Error);
}
