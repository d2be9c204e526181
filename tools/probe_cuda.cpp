// Used by configure: does this LibTorch carry its CUDA library? (A card is not needed to answer.)
#include <ATen/Context.h>

#include <cstdio>

int main() {
  if (!at::globalContext().hasCUDA()) {
    std::printf("no card is visible now\n");
  } else {
    std::printf("a card is visible\n");
  }
  return 0;
}
