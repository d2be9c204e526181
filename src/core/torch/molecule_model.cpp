// A model of molecules that was trained elsewhere, as a TorchScript file.
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <fstream>

#include "compert/molecules.h"
#include "torch_util.h"

namespace compert {

Array apply_molecule_model(const std::string& path, const Array& features) {
  if (!std::ifstream(path).good())
    throw Error("model", "must be a TorchScript file that can be read", "There is none at " + path,
                "Give the path of what torch.jit.script(module).save() wrote");
  const auto fails = [&](const std::string& what) -> Error {
    const std::string line = what.substr(0, what.find('\n'));
    return Error("model", "must be a TorchScript module that takes molecules x features to molecules x "
                 "any number", line, "Save it by torch.jit.script(module).save(\"file.pt\")");
  };
  try {
    at::NoGradGuard no_grad;
    torch::jit::Module module = torch::jit::load(path, at::kCPU);
    module.eval();
    const at::IValue out = module.forward({to_tensor(features).to(at::kFloat)});
    if (!out.isTensor()) throw fails("its forward() gives no tensor");
    const Tensor vectors = out.toTensor();
    if (vectors.dim() != 2 || vectors.size(0) != features.shape.at(0))
      throw fails("for " + std::to_string(features.shape.at(0)) + " molecules it gives " +
                  std::to_string(vectors.dim()) + " dimensions, the first of " +
                  (vectors.dim() > 0 ? std::to_string(vectors.size(0)) : "0"));
    if (!vectors.isfinite().all().item<bool>()) throw fails("some of what it gives is not finite");
    return to_array(vectors);
  } catch (const c10::Error& e) {
    throw fails(e.what_without_backtrace());
  } catch (const std::runtime_error& e) {
    if (dynamic_cast<const Error*>(&e) != nullptr) throw;
    throw fails(e.what());
  }
}

}  // namespace compert
