#include "rdkit.h"

#ifdef COMPERT_HAVE_RDKIT
#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/MolOps.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <RDGeneral/RDLog.h>
#include <RDGeneral/versions.h>

#include <algorithm>
#include <exception>
#include <sstream>
#include <tuple>
#include <utility>
#endif

namespace compert {

#ifndef COMPERT_HAVE_RDKIT

bool has_rdkit() { return false; }
std::string rdkit_version() { return ""; }
std::vector<ParsedSmiles> canonical_smiles(const std::vector<std::string>&, bool,
                                           const Pause&) {
  chem::refuse_without_rdkit();
}

#else

namespace {

/// RDKit says why it refuses a SMILES only in its error log. While one of these lives, that log
/// goes into it and the others are silent; not for several threads at once, as RDKit's logs are.
class Logs {
 public:
  Logs() : error_(std::make_shared<boost::logging::rdLogger>(&text_)) {
    std::swap(rdErrorLog, error_);
    for (RDLogger* log : kSilenced) silenced_.push_back(std::exchange(*log, nullptr));
  }
  ~Logs() {
    std::swap(rdErrorLog, error_);
    for (std::size_t k = 0; k < silenced_.size(); ++k) *kSilenced[k] = silenced_[k];
  }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;
  std::string text() const { return text_.str(); }

 private:
  static constexpr RDLogger* kSilenced[] = {&rdAppLog, &rdDebugLog, &rdInfoLog, &rdWarningLog,
                                            &rdStatusLog};
  std::ostringstream text_;
  RDLogger error_;
  std::vector<RDLogger> silenced_;
};

constexpr RDLogger* Logs::kSilenced[];

/// The first line of what RDKit said, without the time, the repeated input and the full stop.
std::string reason(std::string text, const std::string& otherwise) {
  const auto drop_after = [&](const std::string& mark) { text = text.substr(0, text.find(mark)); };
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  drop_after("\n");
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find("] ");
    if (close != std::string::npos) text.erase(0, close + 2);
  }
  const std::string label = "SMILES Parse Error: ";
  if (text.rfind(label, 0) == 0) text.erase(0, label.size());
  drop_after(" for input: '");
  drop_after(" while parsing: ");
  const auto last = text.find_last_not_of(" .:\r\t");
  text.erase(last == std::string::npos ? 0 : last + 1);
  return text.empty() ? otherwise : text;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// What RDKit would not look at, or would take for a name that follows the SMILES.
std::string unreadable(const std::string& smiles) {
  if (smiles.empty()) return "it is empty";
  if (smiles.size() > kLongestSmiles) {
    return "it is longer than " + std::to_string(kLongestSmiles) + " characters";
  }
  for (const char c : smiles) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') return "it holds white space";
    if (c < 33 || c > 126) return "it holds a character that is not printable ASCII";
  }
  return "";
}

boost::shared_ptr<RDKit::ROMol> largest_fragment(const RDKit::ROMol& molecule) {
  const auto fragments = RDKit::MolOps::getMolFrags(molecule);
  boost::shared_ptr<RDKit::ROMol> best;
  std::tuple<int64_t, double, std::string> least;
  for (const auto& fragment : fragments) {
    const std::tuple<int64_t, double, std::string> key(
        -static_cast<int64_t>(fragment->getNumHeavyAtoms()),
        -RDKit::Descriptors::calcAMW(*fragment), RDKit::MolToSmiles(*fragment));
    if (!best || key < least) {
      best = fragment;
      least = key;
    }
  }
  return best;
}

ParsedSmiles canonicalise(const std::string& smiles, bool strip_salts) {
  const chem::Reading reading = chem::read_smiles(smiles);
  if (!reading.molecule) return {"", reading.problem};
  const Logs logs;
  try {
    const bool whole = !strip_salts || smiles.find('.') == std::string::npos;
    return {RDKit::MolToSmiles(whole ? *reading.molecule : *largest_fragment(*reading.molecule)),
            ""};
  } catch (const std::exception& e) {
    return {"", reason(e.what(), "RDKit cannot write it")};
  } catch (...) {
    return {"", "RDKit cannot write it"};
  }
}

}  // namespace

namespace chem {

Reading read_smiles(const std::string& given) {
  const std::string smiles = trimmed(given);
  std::string problem = unreadable(smiles);
  if (!problem.empty()) return {nullptr, std::move(problem)};
  const std::string otherwise = "RDKit cannot read it";
  const Logs logs;
  try {
    RDKit::SmilesParserParams options;
    options.allowCXSMILES = false;
    options.parseName = false;
    std::unique_ptr<RDKit::ROMol> molecule(RDKit::SmilesToMol(smiles, options));
    if (!molecule) return {nullptr, reason(logs.text(), otherwise)};
    if (molecule->getNumAtoms() == 0) return {nullptr, "it has no atoms"};
    return {std::move(molecule), ""};
  } catch (const std::exception& e) {
    return {nullptr, reason(e.what(), otherwise)};
  } catch (...) {
    return {nullptr, otherwise};
  }
}

void for_each_molecule(const std::vector<std::string>& smiles, const Pause& pause,
                       const std::function<void(std::size_t, const RDKit::ROMol&)>& use) {
  for (std::size_t row = 0; row < smiles.size(); ++row) {
    if (pause) pause();
    const auto refuse = [&](const std::string& problem) {
      throw Error(
          "smiles", "must hold valid SMILES",
          "Entry " + std::to_string(row + 1) + ", \"" + smiles[row] + "\": " + problem + ".");
    };
    const Reading reading = read_smiles(smiles[row]);
    if (!reading.molecule) refuse(reading.problem);
    const Logs logs;
    try {
      use(row, *reading.molecule);
    } catch (const std::exception& e) {
      refuse(reason(e.what(), "RDKit cannot compute its features"));
    } catch (...) {
      refuse("RDKit cannot compute its features");
    }
  }
}

}  // namespace chem

bool has_rdkit() { return true; }
std::string rdkit_version() { return RDKit::rdkitVersion; }

std::vector<ParsedSmiles> canonical_smiles(const std::vector<std::string>& smiles, bool strip_salts,
                                           const Pause& pause) {
  std::vector<ParsedSmiles> out;
  out.reserve(smiles.size());
  for (const std::string& one : smiles) {
    if (pause) pause();
    out.push_back(canonicalise(one, strip_salts));
  }
  return out;
}

#endif

}  // namespace compert
