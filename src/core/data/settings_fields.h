// The table of hyperparameters: names, types, ranges, meanings, and the defaults of each parity.
#pragma once
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "compert/settings.h"

namespace compert {

using SettingMember =
    std::variant<int64_t Settings::*, double Settings::*, bool Settings::*, std::string Settings::*>;

struct SettingField {
  std::string name;
  SettingMember member;
  double min = -std::numeric_limits<double>::infinity();
  std::vector<std::string> choices{};
  std::string meaning{};
  double below = std::numeric_limits<double>::infinity();  // every value must be smaller
  double most = std::numeric_limits<double>::infinity();   // no value may be larger
};

const std::vector<SettingField>& setting_fields();
/// Whether the network is made by it, so that it stays for the fit's whole life.
bool is_fixed(const SettingField& field);
/// `model` is what `parity` leaves open; the parities of chemCPA are its own.
Settings default_settings(const std::string& parity, const std::string& model = "cpa");

}  // namespace compert
