#include "product.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "kernels.h"
#include "kernels_detail.h"

#ifdef COMPERT_HAVE_DNNL
#include "dnnl_cpu.h"
#endif

namespace compert {
namespace {

thread_local bool reduced_products = false;

void by_torch(Tensor out, const Tensor& a, const Tensor& b, const Tensor& bias, bool add) {
  at::NoGradGuard no_grad;
  if (add)
    out.addmm_(a, b);
  else if (bias.defined())
    at::addmm_out(out, bias, a, b);
  else
    at::mm_out(out, a, b);
}

#ifdef COMPERT_HAVE_DNNL

using Type = dnnl::memory::data_type;

/// How a matrix lies in memory.
struct Layout {
  int64_t rows, columns, leading;
  bool transposed;  // columns are contiguous
};

/// False where neither rows nor columns are contiguous.
bool layout_of(const Tensor& t, Layout& out) {
  const int64_t rows = t.size(0), columns = t.size(1), down = t.stride(0), along = t.stride(1);
  const bool by_rows = (along == 1 || columns == 1) && (down >= columns || rows == 1);
  const bool by_columns = (down == 1 || rows == 1) && (along >= rows || columns == 1);
  if (!by_rows && !by_columns) return false;
  const int64_t inner = by_rows ? columns : rows, outer = by_rows ? rows : columns;
  out = {rows, columns, outer == 1 ? inner : by_rows ? down : along, !by_rows};
  return true;
}

dnnl::memory::desc described(const Layout& l, Type type) {
  return {{l.rows, l.columns},
          type,
          l.transposed ? dnnl::memory::dims{1, l.leading} : dnnl::memory::dims{l.leading, 1}};
}

struct Prepared {
  dnnl::matmul product;
  dnnl::memory a, b, bias, out;  // without data
  std::vector<dnnl_exec_arg_t> arguments;
};

Prepared prepare(const Layout& a, const Layout& b, const Layout& out, bool bias, bool add,
                 Type type) {
  const auto side = [&](const Layout& l, Type t) {
    return dnnl::memory(described(l, t), dnnl_cpu(), nullptr);
  };
  const dnnl::memory::desc of_bias =
      bias ? dnnl::memory::desc({1, out.columns}, Type::f32, dnnl::memory::dims{out.columns, 1})
           : dnnl::memory::desc();
  dnnl::primitive_attr attributes;
  if (add) {
    dnnl::post_ops sum;
    sum.append_sum(1.f);
    attributes.set_post_ops(sum);
  }
  Prepared p{dnnl::matmul(dnnl_product(described(a, type), described(b, type), of_bias,
                                       described(out, Type::f32), attributes)),
             side(a, type),
             side(b, type),
             dnnl::memory(),
             side(out, Type::f32),
             {}};
  p.arguments = {
      {DNNL_ARG_SRC, p.a.get()}, {DNNL_ARG_WEIGHTS, p.b.get()}, {DNNL_ARG_DST, p.out.get()}};
  if (bias) {
    p.bias = dnnl::memory(of_bias, dnnl_cpu(), nullptr);
    p.arguments.push_back({DNNL_ARG_BIAS, p.bias.get()});
  }
  return p;
}

/// Preparing costs some microseconds (the first time of a shape, some hundred): shapes come again. What is
/// prepared is for a number of threads.
Prepared& prepared(const Layout& a, const Layout& b, const Layout& out, bool bias, bool add,
                   Type type) {
  using Key = std::array<int64_t, 10>;
  thread_local std::map<Key, Prepared> known;
  const Key key{a.rows,
                a.columns,
                b.columns,
                a.leading,
                b.leading,
                out.leading,
                a.transposed * 2 + b.transposed,
                bias * 2 + add,
                static_cast<int64_t>(type),
                sweep_threads()};
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  if (known.size() >= 512) known.clear();
  return known.emplace(key, prepare(a, b, out, bias, add, type)).first->second;
}

/// A matrix as a product reads it.
struct Operand {
  Layout layout;
  void* data;
};

/// `t` itself, or rounded to bfloat16 in `scratch`, which grows to the largest that came.
Operand operand(const Tensor& t, const Layout& layout, std::vector<uint16_t>& scratch) {
  if (!reduced_products) return {layout, t.data_ptr()};
  const int64_t inner = layout.transposed ? layout.rows : layout.columns,
                outer = layout.transposed ? layout.columns : layout.rows;
  if (static_cast<int64_t>(scratch.size()) < inner * outer)
    scratch.resize(static_cast<std::size_t>(inner * outer));
  round_sweep(t.data_ptr<float>(), outer, inner, layout.leading, scratch.data());
  Layout packed = layout;
  packed.leading = inner;
  return {packed, scratch.data()};
}

/// False for what is not oneDNN's: other types and devices, and layouts without contiguous rows.
bool by_dnnl(const Tensor& out, const Tensor& a, const Tensor& b, const Tensor& bias, bool add) {
  if (out.scalar_type() != at::kFloat || !out.is_cpu() || out.numel() == 0 || a.size(1) == 0 ||
      !dnnl_as_compiled())
    return false;
  Layout of_a, of_b, of_out;
  if (!layout_of(a, of_a) || !layout_of(b, of_b) || !layout_of(out, of_out) || of_out.transposed)
    return false;
  // oneDNN 3.7 writes a single column without the gaps between its rows.
  if (of_out.columns == 1 && of_out.rows > 1 && of_out.leading > 1) return false;
  // Gradients of weights: oneDNN's BLAS interface packs what is transposed faster than its primitive,
  // by 10 to 20 % in wide layers and by more in small ones.
  if (add && of_a.transposed && !reduced_products) {
    const HeldSignals held_signals;
    dnnl::error::wrap_c_api(
        dnnl_sgemm('T', of_b.transposed ? 'T' : 'N', of_a.rows, of_b.columns, of_a.columns, 1.f,
                   a.data_ptr<float>(), of_a.leading, b.data_ptr<float>(), of_b.leading, 1.f,
                   out.data_ptr<float>(), of_out.leading),
        "could not multiply matrices");
    return true;
  }
  thread_local std::vector<uint16_t> scratch[2];
  const Operand x = operand(a, of_a, scratch[0]), y = operand(b, of_b, scratch[1]);
  Prepared& p = prepared(x.layout, y.layout, of_out, bias.defined(), add,
                         reduced_products ? Type::bf16 : Type::f32);
  p.a.set_data_handle(x.data);
  p.b.set_data_handle(y.data);
  p.out.set_data_handle(out.data_ptr());
  if (bias.defined()) p.bias.set_data_handle(bias.data_ptr());
  dnnl_run(p.product, p.arguments);
  return true;
}

#endif

}  // namespace

void product_into(const Tensor& out, const Tensor& a, const Tensor& b, const Tensor& bias,
                  bool add) {
#ifdef COMPERT_HAVE_DNNL
  if (translate_dnnl([&] { return by_dnnl(out, a, b, bias, add); })) return;
#endif
  by_torch(out, a, b, bias, add);
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias) {
  Tensor out = at::empty({a.size(0), b.size(1)}, a.options().requires_grad(false));
  product_into(out, a, b, bias);
  return out;
}

ReducedProducts::ReducedProducts(bool reduced) : before_(reduced_products) {
  reduced_products = reduced;
}
ReducedProducts::~ReducedProducts() { reduced_products = before_; }
bool ReducedProducts::on() { return reduced_products; }

ProductLibrary product_library() {
#ifdef COMPERT_HAVE_DNNL
  const dnnl_version_t* v = dnnl_version();
  if (!dnnl_as_compiled()) return {"", "LibTorch brought another oneDNN than this build's"};
  ProductLibrary out{
      std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch),
      ""};
  try {
    const Layout square{16, 16, 16, false};
    prepare(square, square, square, true, false, Type::bf16);
  } catch (const dnnl::error&) {
    out.no_bfloat16 = "oneDNN has no products of bfloat16 for this processor (AVX-512 is needed)";
  }
  return out;
#else
  return {"", "this build has no oneDNN (on Debian: libdnnl-dev)"};
#endif
}

}  // namespace compert
