// Used by configure: can oneDNN multiply matrices here, on the threads of OpenMP as LibTorch does?
#include <dnnl.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  using dnnl::memory;
#if DNNL_CPU_THREADING_RUNTIME != DNNL_RUNTIME_OMP
  std::fprintf(stderr, "this oneDNN has threads of its own, not OpenMP's\n");
  return 3;
#endif
  const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  const memory::desc square({2, 2}, memory::data_type::f32, memory::dims{2, 1});
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul product(dnnl::matmul::primitive_desc(cpu, square, square, square));
#else
  const dnnl::matmul product(
      dnnl::matmul::primitive_desc(dnnl::matmul::desc(square, square, square), cpu));
#endif
  std::vector<float> a{1, 2, 3, 4}, b{5, 6, 7, 8}, out(4);
  dnnl::stream stream(cpu);
  product.execute(stream, {{DNNL_ARG_SRC, memory(square, cpu, a.data())},
                           {DNNL_ARG_WEIGHTS, memory(square, cpu, b.data())},
                           {DNNL_ARG_DST, memory(square, cpu, out.data())}});
  stream.wait();
  if (std::fabs(out[0] - 19) > 1e-6f || std::fabs(out[3] - 50) > 1e-6f) return 4;
  const dnnl_version_t* v = dnnl_version();
  std::printf("%d.%d.%d\n", v->major, v->minor, v->patch);
  return 0;
}
