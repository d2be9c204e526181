#pragma once
#include <string>

#include "compert/stored_cells.h"

namespace compert {

/// Throws an `Error` that says what is wrong with a matrix in a file.
[[noreturn]] void damaged(const StoredMatrix& where, const std::string& problem);

}  // namespace compert
