#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch_compat.h"
#include "compert/chem.h"
#include "compert/error.h"
#include "drugs.h"

namespace {

using Strings = std::vector<std::string>;

compert::ParsedSmiles parse(const std::string& smiles, bool strip_salts = false) {
  return compert::canonical_smiles({smiles}, strip_salts)[0];
}

/// Tests that need RDKit pass silently without: the R tests say when that is a mistake.
bool without_rdkit() { return !compert::has_rdkit(); }

std::vector<int> bits_of(const compert::Array& prints, std::size_t row) {
  const auto width = static_cast<std::size_t>(prints.shape[1]);
  std::vector<int> on;
  for (std::size_t b = 0; b < width; ++b) {
    if (prints.values[row * width + b] != 0) on.push_back(static_cast<int>(b));
  }
  return on;
}

/// One edit of a kind that a typing error, a truncated cell or a wrong column makes.
std::string damaged(std::string smiles, std::mt19937& random) {
  static const std::string signs = "CNOPSFIclnos()[]=#@+-/\\.%0123456789*:H ~$>\"\x01\xc3";
  const auto place = [&] { return random() % smiles.size(); };
  const std::size_t edits = 1 + random() % 3;
  for (std::size_t k = 0; k < edits && !smiles.empty(); ++k) {
    switch (random() % 5) {
      case 0:
        smiles.resize(place());
        break;
      case 1:
        smiles.erase(0, place());
        break;
      case 2:
        smiles[place()] = signs[random() % signs.size()];
        break;
      case 3:
        smiles.insert(place(), 1, signs[random() % signs.size()]);
        break;
      default:
        std::swap(smiles[place()], smiles[place()]);
    }
  }
  return smiles;
}

}  // namespace

TEST_CASE("without RDKit every call says so, and how to get it", "[chem]") {
  CHECK(compert::has_rdkit() == !compert::rdkit_version().empty());
  if (compert::has_rdkit()) return;
  CHECK_THROWS_WITH(parse("C"), ContainsSubstring("librdkit-dev"));
  CHECK_THROWS_AS(compert::descriptor_names(), compert::Error);
  CHECK_THROWS_AS(compert::smiles_descriptors({"C"}), compert::Error);
  CHECK_THROWS_AS(compert::smiles_morgan({"C"}), compert::Error);
  CHECK_THROWS_AS(compert::smiles_graphs({"C"}), compert::Error);
}

TEST_CASE("spellings of a molecule have one canonical SMILES", "[chem]") {
  if (without_rdkit()) return;
  for (const std::string& smiles : drugs::kSmiles) CHECK(parse(smiles).canonical == smiles);
  for (const char* ethanol : {"CCO", "OCC", "C(O)C", "[CH3][CH2][OH]", "C-C-O", " CCO\n"}) {
    CHECK(parse(ethanol).canonical == "CCO");
  }
  CHECK(parse("C1=CC=CC=C1").canonical == "c1ccccc1");
  CHECK(parse("F/C=C/F").canonical != parse("F/C=C\\F").canonical);
  CHECK(parse("N[C@@H](C)C(=O)O").canonical != parse("N[C@H](C)C(=O)O").canonical);
  CHECK(compert::canonical_smiles({}).empty());
}

TEST_CASE("the largest fragment is kept, in whatever order salts are written", "[chem]") {
  if (without_rdkit()) return;
  CHECK(parse("CC(=O)[O-].[Na+]", true).canonical == "CC(=O)[O-]");
  CHECK(parse("CC(=O)[O-].[Na+]").canonical == "CC(=O)[O-].[Na+]");
  CHECK(parse("Cl.Cl.CCN.O", true).canonical == "CCN");
  // As many heavy atoms: the heavier one, and of equals always the same one.
  CHECK(parse("CO.CCl.CF", true).canonical == "CCl");
  CHECK(parse("CF.CCl.CO", true).canonical == "CCl");
  CHECK(parse("CCCO.CC(C)O", true).canonical == parse("CC(C)O.CCCO", true).canonical);
  CHECK(parse("[H+].[Cl-]", true).canonical == "[Cl-]");
  CHECK(parse("CCO", true).canonical == "CCO");
}

TEST_CASE("what is no molecule has a reason, and RDKit stays silent", "[chem]") {
  if (without_rdkit()) return;
  std::ostringstream heard;
  std::streambuf* const cerr = std::cerr.rdbuf(heard.rdbuf());
  std::streambuf* const cout = std::cout.rdbuf(heard.rdbuf());
  const auto read = compert::canonical_smiles(
      {"", "  ", "C1CC", "CC(C)(C)(C)C", "c1cccc1", "CC(=O", "CCO ethanol", "CXx", "C\xc3\xa9", ".",
       std::string("C\0C", 3), "[", ")", "[C@@@@@]", "C%", "[999999999999C]", "CC>>CO",
       std::string(5000, 'C')});
  std::cerr.rdbuf(cerr);
  std::cout.rdbuf(cout);
  CHECK(heard.str().empty());
  for (const auto& one : read) {
    CHECK(one.canonical.empty());
    CHECK(!one.problem.empty());
    CHECK(one.problem.find('\n') == std::string::npos);
  }
  CHECK(read[0].problem == "it is empty");
  CHECK(read[1].problem == "it is empty");
  CHECK_THAT(read[2].problem, ContainsSubstring("ring"));
  CHECK_THAT(read[3].problem, ContainsSubstring("valence"));
  CHECK_THAT(read[4].problem, ContainsSubstring("kekulize"));
  CHECK_THAT(read[6].problem, ContainsSubstring("white space"));
  CHECK_THAT(read[8].problem, ContainsSubstring("ASCII"));
}

TEST_CASE("descriptors equal those of RDKit in Python", "[chem]") {
  if (without_rdkit()) return;
  const Strings names = compert::descriptor_names();
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  CHECK(names.size() == 112);
  for (const auto& drug : drugs::kReferences) {
    const compert::Array found = compert::smiles_descriptors({drug.smiles});
    REQUIRE(found.shape == std::vector<int64_t>{1, static_cast<int64_t>(names.size())});
    REQUIRE(drug.values.size() == drugs::kDescriptors.size());
    for (std::size_t k = 0; k < drug.values.size(); ++k) {
      const std::string& name = drugs::kDescriptors[k];
      const auto column = std::find(names.begin(), names.end(), name) - names.begin();
      INFO(name << " of " << drug.smiles);
      CHECK(found.values[static_cast<std::size_t>(column)] ==
            Approx(drug.values[k]).epsilon(1e-5).margin(1e-6));
    }
  }
}

TEST_CASE("what has no descriptor is 0, and nothing is infinite", "[chem]") {
  if (without_rdkit()) return;
  // Metals and lone atoms: no charges, no bonds, no heavy atoms.
  const Strings odd = {"[Na+].[Cl-]", "[H][H]", "[Pt]", "*", "[U]", "C", "[He]", "N.N.[Pt](Cl)Cl"};
  const compert::Array found = compert::smiles_descriptors(odd);
  CHECK(found.shape[0] == static_cast<int64_t>(odd.size()));
  CHECK(std::all_of(found.values.begin(), found.values.end(),
                    [](double value) { return std::isfinite(value); }));
  CHECK(compert::smiles_descriptors({}).values.empty());
}

TEST_CASE("Morgan fingerprints equal those of RDKit in Python", "[chem]") {
  if (without_rdkit()) return;
  for (const auto& drug : drugs::kReferences) {
    CHECK(bits_of(compert::smiles_morgan({drug.smiles}), 0) == drug.morgan);
  }
  const std::string smiles = drugs::kReferences[0].smiles;
  const auto size = [&](int64_t radius, int64_t bits) {
    return bits_of(compert::smiles_morgan({smiles}, radius, bits), 0).size();
  };
  CHECK(size(0, 4096) < size(1, 4096));
  CHECK(size(2, 64) < size(2, 4096));
  CHECK(compert::smiles_morgan(drugs::kSmiles, 1, 128).shape ==
        std::vector<int64_t>{static_cast<int64_t>(drugs::kSmiles.size()), 128});
  for (const int64_t bad : {-1, 21}) CHECK_THROWS_AS(size(bad, 64), compert::Error);
  for (const int64_t bad : {-1, 0, 1 << 21}) CHECK_THROWS_AS(size(2, bad), compert::Error);
}

TEST_CASE("graphs have the atoms and bonds of the molecule", "[chem]") {
  if (without_rdkit()) return;
  using compert::kAtomFeatures;
  using compert::kBondFeatures;
  const auto graphs = compert::smiles_graphs({"C#N", "C[NH3+].[Se]", "c1cc[nH]c1"});
  const auto set_places = [](const std::vector<float>& rows, int64_t width, int64_t row) {
    std::vector<int64_t> out;
    for (int64_t k = 0; k < width; ++k) {
      if (rows[static_cast<std::size_t>(row * width + k)] != 0) out.push_back(k);
    }
    return out;
  };
  using Places = std::vector<int64_t>;
  // Element, degree, charge, hybridisation, flags, hydrogens.
  CHECK(set_places(graphs[0].atoms, kAtomFeatures, 0) == Places{0, 13, 20, 23, 30});
  CHECK(set_places(graphs[0].atoms, kAtomFeatures, 1) == Places{1, 13, 20, 23, 29});
  CHECK(set_places(graphs[0].bonds, kBondFeatures, 0) == Places{2});
  CHECK(graphs[1].n_atoms == 3);
  CHECK(graphs[1].begin.size() == 1);
  CHECK(set_places(graphs[1].atoms, kAtomFeatures, 1) == Places{1, 13, 21, 25, 32});
  CHECK(set_places(graphs[1].atoms, kAtomFeatures, 2)[0] == 11);
  CHECK(set_places(graphs[2].atoms, kAtomFeatures, 3) == Places{1, 14, 20, 24, 27, 28, 30});
  CHECK(set_places(graphs[2].bonds, kBondFeatures, 0) == Places{3, 4, 5});
  for (const auto& graph : compert::smiles_graphs(drugs::kSmiles)) {
    const auto atoms = static_cast<std::size_t>(graph.n_atoms);
    REQUIRE(graph.atoms.size() == atoms * static_cast<std::size_t>(kAtomFeatures));
    REQUIRE(graph.end.size() == graph.begin.size());
    REQUIRE(graph.bonds.size() == graph.begin.size() * static_cast<std::size_t>(kBondFeatures));
    for (std::size_t b = 0; b < graph.begin.size(); ++b) {
      CHECK(std::max(graph.begin[b], graph.end[b]) < graph.n_atoms);
      CHECK(std::min(graph.begin[b], graph.end[b]) >= 0);
    }
    // Five blocks are one-hot, so that every atom has at least five places set.
    CHECK(std::count(graph.atoms.begin(), graph.atoms.end(), 1.0F) >= 5 * graph.n_atoms);
  }
}

TEST_CASE("features of an invalid entry are refused with its place and reason", "[chem]") {
  if (without_rdkit()) return;
  const Strings wrong = {"CCO", "C1CC"};
  CHECK_THROWS_WITH(compert::smiles_descriptors(wrong), ContainsSubstring("Entry 2, \"C1CC\""));
  CHECK_THROWS_AS(compert::smiles_morgan(wrong), compert::Error);
  CHECK_THROWS_AS(compert::smiles_graphs(wrong), compert::Error);
}

TEST_CASE("a pause may end the reading of SMILES", "[chem]") {
  if (without_rdkit()) return;
  int left = 3;
  const auto pause = [&] {
    if (--left == 0) throw std::runtime_error("stop");
  };
  CHECK_THROWS_WITH(compert::smiles_morgan(drugs::kSmiles, 2, 64, pause), "stop");
}

TEST_CASE("damaged SMILES are read or have a reason, and never crash", "[chem]") {
  if (without_rdkit()) return;
  std::mt19937 random(1);
  Strings valid;
  for (int k = 0; k < 1000; ++k) {
    const std::string smiles = damaged(drugs::kSmiles[random() % drugs::kSmiles.size()], random);
    const auto read = parse(smiles, k % 2 == 1);
    INFO(smiles);
    CHECK(read.canonical.empty() != read.problem.empty());
    if (read.problem.empty() && k % 4 == 0) valid.push_back(smiles);
  }
  CHECK(valid.size() > 10);
  const compert::Array found = compert::smiles_descriptors(valid);
  CHECK(std::all_of(found.values.begin(), found.values.end(),
                    [](double value) { return std::isfinite(value); }));
  CHECK(compert::smiles_graphs(valid).size() == valid.size());
  CHECK(compert::smiles_morgan(valid).shape[0] == static_cast<int64_t>(valid.size()));
}
