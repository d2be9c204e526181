// Agreement of the model with golden files chem_*.h5: what theislab/chemCPA 43e830e computes from the
// same parameters and batches, in both precisions.
#include "catch_compat.h"
#include "golden_chem.h"

TEST_CASE("the model agrees with theislab/chemCPA", "[golden]") {
  golden::compare_models("chem_", golden::ChemFormat(), GENERATE("cpu", "privateuseone"));
}
