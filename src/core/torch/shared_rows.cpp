#include "shared_rows.h"

namespace compert {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

const ProcessGroup& group_of(AutogradContext* ctx) {
  return *reinterpret_cast<const ProcessGroup*>(ctx->saved_data["group"].toInt());
}
void keep_group(AutogradContext* ctx, const ProcessGroup* group) {
  ctx->saved_data["group"] = reinterpret_cast<int64_t>(group);  // lives as long as the fit
}

struct GatherRows : public Function<GatherRows> {
  static Tensor forward(AutogradContext* ctx, const Tensor& own, int64_t n, const ProcessGroup* group) {
    keep_group(ctx, group);
    return group->gather(own, n);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const ProcessGroup::Rows own = group_of(ctx).own_rows(grads[0].size(0));
    return {grads[0].narrow(0, own.begin, own.count()), Tensor(), Tensor()};
  }
};

struct TakeOwnRows : public Function<TakeOwnRows> {
  static Tensor forward(AutogradContext* ctx, const Tensor& all, const ProcessGroup* group) {
    keep_group(ctx, group);
    ctx->saved_data["n"] = all.size(0);
    const ProcessGroup::Rows own = group->own_rows(all.size(0));
    return all.narrow(0, own.begin, own.count()).clone();
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {group_of(ctx).gather(grads[0], ctx->saved_data["n"].toInt()), Tensor()};
  }
};

struct SumOver : public Function<SumOver> {
  static Tensor forward(AutogradContext*, const Tensor& own, const ProcessGroup* group) {
    Tensor out = own.clone();
    group->sum(out);
    return out;
  }
  static variable_list backward(AutogradContext*, variable_list grads) {
    return {grads[0], Tensor()};
  }
};

struct ShareOfGradient : public Function<ShareOfGradient> {
  static Tensor forward(AutogradContext* ctx, const Tensor& t, const ProcessGroup* group) {
    keep_group(ctx, group);
    return t;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {grads[0] / static_cast<double>(group_of(ctx).size()), Tensor()};
  }
};

}  // namespace

Tensor gather_rows(const Tensor& own, int64_t n, const ProcessGroup& group) {
  return GatherRows::apply(own, n, &group);
}
Tensor take_own_rows(const Tensor& all, const ProcessGroup& group) {
  return TakeOwnRows::apply(all, &group);
}
Tensor sum_over(const Tensor& own, const ProcessGroup& group) { return SumOver::apply(own, &group); }
Tensor share_of_gradient(const Tensor& t, const ProcessGroup& group) {
  return ShareOfGradient::apply(t, &group);
}

}  // namespace compert
