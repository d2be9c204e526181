// theislab/multicpa: concatenation and product of experts, plain and with the mixture of background and
// foreground.
#include "catch_compat.h"
#include "golden_multi.h"

TEST_CASE("theislab/multicpa, step by step", "[golden]") {
  golden::compare_models("multi_", golden::MultiFormat(), GENERATE("cpu", "privateuseone"));
}
