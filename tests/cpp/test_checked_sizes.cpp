// Codes and sizes that do not fit each other are errors, where memory would be read or written by them.
#include <cmath>

#include "catch_compat.h"
#include "compert/error.h"
#include "io/hdf5.h"
#include "torch/state_graphs.h"
#include "training_screen.h"

using compert::Error;
using compert::Model;
using training::Screen;
using training::settings_of;

namespace {

compert::MoleculeGraph chain(int n) {
  compert::MoleculeGraph g;
  g.n_atoms = n;
  g.atoms.assign(static_cast<std::size_t>(n * compert::kAtomFeatures), 0.5f);
  for (int i = 1; i < n; ++i) {
    g.begin.push_back(i - 1);
    g.end.push_back(i);
  }
  g.bonds.assign(g.begin.size() * compert::kBondFeatures, 1);
  return g;
}

}  // namespace

TEST_CASE("graphs of a damaged file are refused", "[sizes]") {
  const std::vector<compert::MoleculeGraph> graphs = {chain(3), {}, chain(2)};
  const auto changed = [&](const std::string& name, std::size_t k, double to) {
    auto file = compert::hdf5::File::create_image();
    compert::write_graphs(file, graphs);
    auto values = file.read<double>("graphs/" + name);
    values.at(k) = to;
    auto out = compert::hdf5::File::create_image();
    out.create_group("graphs");
    for (const char* other : {"sizes", "atoms", "ends", "bonds"}) {
      const auto kept = file.read<double>(std::string("graphs/") + other);
      out.write(std::string("graphs/") + other, name == other ? values : kept);
    }
    return compert::read_graphs(out);
  };
  const auto same = changed("sizes", 0, 3);
  REQUIRE(same.size() == 3);
  CHECK(same[0].atoms == graphs[0].atoms);
  CHECK(same[2].end == graphs[2].end);
  CHECK(same[2].bonds == graphs[2].bonds);
  for (const double size : {-1.0, 0.5, 6.0, 1e300, std::nan("")})
    for (const std::size_t k : {0, 1, 4, 5})
      CHECK_THROWS_WITH(changed("sizes", k, size), ContainsSubstring("other sizes"));
  for (const double atom : {-1.0, 3.0, std::nan("")})
    CHECK_THROWS_WITH(changed("ends", 1, atom), ContainsSubstring("other sizes"));
}

TEST_CASE("an architecture names what it has", "[sizes]") {
  const Screen screen(false);
  const auto refused = [&](auto&& change, const std::string& argument) {
    compert::Architecture a = screen.architecture();
    change(a);
    try {
      Model(a, settings_of(R"("epochs": 1)"));
      FAIL("no error");
    } catch (const Error& e) {
      CHECK(e.argument() == argument);
    }
  };
  for (const int64_t batch : {-2, 1})
    refused([&](compert::Architecture& a) { a.batch_covariate = batch; }, "batch_covariate");
  for (const int32_t p : {-1, 4})
    refused([&](compert::Architecture& a) {
      a.measured_perturbation = {1, p};
      a.measured_dose = {1, 1};
    }, "measured_perturbation");
  refused([](compert::Architecture& a) {
    a.measured_perturbation = {1, 2};
    a.measured_dose = {1};
  }, "measured_dose");
}

TEST_CASE("classes of conditions and genes of a second task are those of the model", "[sizes]") {
  Screen screen(false);
  Quiet quiet;
  const auto fit = [&](const std::string& settings, const compert::DegTargets& degs = {}) {
    Model model(screen.architecture(), settings_of(R"("epochs": 1, )" + settings));
    const compert::DenseCells cells = screen.cells();
    model.fit(cells, screen.design, screen.train, {}, "", quiet, degs);
  };
  compert::DegTargets degs;
  degs.group.assign(screen.design.n, 0);
  for (const int64_t gene : {int64_t{-1}, static_cast<int64_t>(Screen::kGenes)}) {
    degs.genes = {{3, gene}};
    CHECK_THROWS_WITH(fit(R"("reg_multi_task": 1)", degs), ContainsSubstring("must come with genes of the model"));
  }
  for (const char* loss : {"cce", "focal"}) {
    const std::string guesses = R"("reg_adversary": 1, "adversary_loss": ")" + std::string(loss) + "\"";
    for (const int32_t condition : {-1, 4}) {
      Screen kept = screen;
      screen.design.condition[7] = condition;
      CHECK_THROWS_WITH(fit(guesses), ContainsSubstring("must use classes of conditions of the model"));
      screen.design.condition.clear();
      CHECK_THROWS_WITH(fit(guesses), ContainsSubstring("must have the class of every row's condition"));
      screen = kept;
    }
    CHECK_NOTHROW(fit(guesses));
  }
}
