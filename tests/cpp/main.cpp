// The runner. After Catch's own report it prints one line that tools/test adds up.
#if CATCH2_MAJOR < 3
#define CATCH_CONFIG_RUNNER
#endif
#include <iostream>

#include "catch_compat.h"

namespace {

#if CATCH2_MAJOR < 3
using CatchListener = Catch::TestEventListenerBase;
#else
using CatchListener = Catch::EventListenerBase;
#endif

class Totals : public CatchListener {
 public:
  using CatchListener::CatchListener;

  void testRunEnded(const Catch::TestRunStats& stats) override {
    const auto& checks = stats.totals.assertions;
    std::cout << "core_tests: " << checks.passed << " passed, " << checks.failed << " failed in "
              << stats.totals.testCases.total() << " cases" << std::endl;
  }
};

}  // namespace

CATCH_REGISTER_LISTENER(Totals)

int main(int argc, char* argv[]) { return Catch::Session().run(argc, argv); }
