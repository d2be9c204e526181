// What makes steps of a device fast: one copy there, no questions back, recordings. And that the tests' device
// is one: see torch_host_device.h.
#include <unistd.h>

#include <cerrno>

#include "torch/losses.h"
#include "torch/recording.h"
#include "torch_host_device.h"
#include "torch_tensors.h"

namespace {

using at::Tensor;

const at::Device kDevice(c10::DeviceType::PrivateUse1, 0);

Tensor there(const Tensor& t) { return t.to(kDevice); }

}  // namespace

TEST_CASE("the device of the tests keeps its memory and its tensors apart", "[device]") {
  const Tensor x = there(at::arange(6, at::kDouble)), host = at::ones({6}, at::kDouble);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  CHECK(::write(ends[1], host.data_ptr(), 8) == 8);
  CHECK((::write(ends[1], x.data_ptr(), 8) == -1 && errno == EFAULT));
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK_THROWS_AS(x + host, c10::Error);
  host_device::take_counts();
  const Tensor y = (x.view({2, 3}).t() * 2).cpu();
  const auto counts = host_device::take_counts();
  CHECK(at::equal(y, (at::arange(6, at::kDouble).view({2, 3}).t() * 2)));
  CHECK(counts.kernels == 1);
  CHECK(counts.downloads == 1);
  CHECK(counts.uploads == 0);
}

TEST_CASE("uploads are one copy, to the same place as before", "[device]") {
  Tensor memory, a, b, c;
  const auto send = [&](int64_t n) {
    compert::Upload upload;
    upload.add(std::vector<int64_t>{n, 2, 3}, a);
    upload.add(at::full({2, n}, 0.5, at::kDouble), b);
    upload.add(at::empty({0, 4}, at::kFloat), c);
    host_device::take_counts();
    upload.send(kDevice, memory);
    CHECK(host_device::take_counts().uploads == 1);
    CHECK(at::equal(a.cpu(), at::tensor({n, int64_t(2), int64_t(3)}, at::kLong)));
    CHECK(at::equal(b.cpu(), at::full({2, n}, 0.5, at::kDouble)));
    CHECK(c.sizes() == at::IntArrayRef({0, 4}));
    return b.data_ptr();
  };
  const void* first = send(7);
  send(2);
  CHECK(send(7) == first);
}

TEST_CASE("losses are summed where they are", "[device]") {
  for (const at::Device device : {at::Device(at::kCPU), kDevice}) {
    compert::LossSums sums(at::TensorOptions(at::kDouble).device(device));
    compert::StepLosses losses;
    losses[compert::Loss::kReconstruction] = at::full({}, 2.5, at::kDouble).to(device);
    host_device::take_counts();
    sums.add(losses);
    losses[compert::Loss::kKl] = at::full({}, 1.0, at::kDouble).to(device);
    sums.add(losses);
    CHECK(host_device::take_counts().downloads == 0);
    auto values = sums.values();
    CHECK(values[static_cast<std::size_t>(compert::Loss::kReconstruction)] == 5);
    CHECK(values[static_cast<std::size_t>(compert::Loss::kKl)] == 1);
    CHECK(compert::LossSums::not_finite(values) == nullptr);
    losses[compert::Loss::kKl] = at::full({}, INFINITY, at::kDouble).to(device);
    sums.add(losses);
    CHECK(compert::LossSums::not_finite(sums.values()) == std::string("KL term"));
    sums.reset();
    CHECK(sums.values() == decltype(values){});
  }
}

TEST_CASE("a recorder repeats works, on what is then in their memory", "[device]") {
  compert::Recorder recorder(kDevice);
  REQUIRE(recorder.records());
  compert::Noise noise(3), same(3);
  const Tensor x = there(at::ones({4}, at::kDouble)), sum = there(at::zeros({4}, at::kDouble));
  Tensor expected = at::zeros({4}, at::kDouble);
  int runs = 0;
  for (int k = 0; k < 9; ++k) {
    x.copy_(at::full({4}, k, at::kDouble));
    compert::WorkKey key;
    key.add(x);
    recorder.run(key, [&] {
      ++runs;
      sum.add_(x * 2 + noise.normal({4}, x.options()));
    });
    expected = expected + 2 * k + same.normal({4}, expected.options());
  }
  CHECK(distance(sum.cpu(), expected) < 1e-14);
  CHECK(runs == 4);  // the fourth was recorded
  compert::WorkKey asks;
  asks.add(1.0);
  for (int k = 0; k < 3; ++k) recorder.run(asks, [&] { sum.sum().item<double>(); });
  CHECK_THROWS_AS(recorder.run(asks, [&] { sum.sum().item<double>(); }), c10::Error);
  CHECK(!compert::Recorder(at::kCPU).records());
}
