/// Catch2 2.13 (Debian 12) and 3 (Debian 13) under one name. Tests include this, and no torch
/// header: a LibTorch built with glog has a CHECK macro of its own.
#pragma once

#if CATCH2_MAJOR >= 3
#include <catch2/catch_all.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
#else
#include <catch2/catch.hpp>
using Catch::Matchers::StartsWith;

/// The name that Matchers::Contains for strings has in version 3.
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif
