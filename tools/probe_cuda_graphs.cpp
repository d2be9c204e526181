// Used by configure: are LibTorch's headers of CUDA graphs there, and CUDA's that they read? (A card is not
// needed to answer.)
#include <ATen/cuda/CUDAGraph.h>
#include <cuda_runtime_api.h>

#include <cstdio>

int main() {
  int version = 0;
  cudaRuntimeGetVersion(&version);
  std::printf("with CUDA runtime %d.%d\n", version / 1000, version % 1000 / 10);
  return reinterpret_cast<void*>(&at::cuda::graph_pool_handle) == nullptr;
}
