// Used by configure: the header of nlohmann-json, parsed and printed back.
#include <nlohmann/json.hpp>

#include <cstdio>

#if NLOHMANN_JSON_VERSION_MAJOR < 3 || \
    (NLOHMANN_JSON_VERSION_MAJOR == 3 && NLOHMANN_JSON_VERSION_MINOR < 9)
#error "nlohmann-json 3.9 or newer is needed"
#endif

int main() {
  const auto parsed = nlohmann::json::parse(R"({"epochs": 3})");
  if (parsed.at("epochs").get<int>() != 3) return 4;
  std::printf("%d.%d.%d\n", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR,
              NLOHMANN_JSON_VERSION_PATCH);
  return 0;
}
