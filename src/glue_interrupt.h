#pragma once
#include <Rcpp.h>

namespace compert_glue {

/// For long loops on R's thread. What R raises, Ctrl-C or a time limit that has passed (setTimeLimit()), goes on
/// as it is; Rcpp::checkUserInterrupt() would make an interrupt of either, which no handler of errors sees.
inline void ask_for_interrupt() {
  Rcpp::unwindProtect([] {
    R_CheckUserInterrupt();
    return R_NilValue;
  });
}

}  // namespace compert_glue
