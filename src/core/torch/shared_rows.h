// A batch in several processes. Each reads, encodes (first layer) and scores (last layer and
// likelihood) its share of the rows, where the work is as wide as the genes. What lies between is the
// same in all: they hold all rows of it, and need no agreement on batch norm, noise or adversaries.
#pragma once
#include "group.h"

namespace compert {

/// All n rows from the own ones. Backward, every process has the whole gradient and keeps its rows.
Tensor gather_rows(const Tensor& own, int64_t n, const ProcessGroup& group);
/// The own ones of rows that all processes hold. Backward, their gradients are gathered.
Tensor take_own_rows(const Tensor& all, const ProcessGroup& group);
/// The sum over the processes; backward, each differentiates its own part.
Tensor sum_over(const Tensor& own, const ProcessGroup& group);
/// The tensor itself; backward, one process' share of a gradient that all have whole and that is
/// summed over them later.
Tensor share_of_gradient(const Tensor& t, const ProcessGroup& group);

}  // namespace compert
