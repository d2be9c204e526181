// LibTorch's headers, as nearly every file of this folder reads them. They are most of the time that such a
// file takes, so builds read this one beforehand, once (configure, CMakeLists.txt); it holds nothing else.
// A guard, since compilers warn of #pragma once in a file that they compile itself.
#ifndef COMPERT_LIBTORCH_H
#define COMPERT_LIBTORCH_H
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/variable.h>
#endif
