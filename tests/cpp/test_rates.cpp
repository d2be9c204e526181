// What the machine can do, for tools/bench floor.
#include "catch_compat.h"
#include "compert/error.h"
#include "compert/rates.h"

TEST_CASE("rates are measured, and sizes checked", "[rates]") {
  using compert::LayerProduct;
  for (const auto kind : {LayerProduct::kForward, LayerProduct::kWeights, LayerProduct::kInputs}) {
    CHECK(compert::layer_product_seconds(kind, 4, 8, 8, 1) > 0);
    CHECK_THROWS_AS(compert::layer_product_seconds(kind, 4, 0, 8, 1), compert::Error);
  }
  CHECK(compert::memory_rate(1) > 0);
}
