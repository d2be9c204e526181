"""Times the training updates of a facebookresearch/CPA checkout on arrays that tools/bench wrote.

usage: reference_cpa.py CHECKOUT FOLDER BATCH THREADS DOSER EPOCHS
Prints one JSON line per epoch: cells per second through DataLoader and update().
"""
import importlib.util
import json
import sys
import time

import numpy as np
import scipy.sparse
import torch

checkout, folder, batch, threads, doser, epochs = sys.argv[1:7]
torch.set_num_threads(int(threads))
torch.manual_seed(0)

# The package's __init__ needs scanpy; the model alone does not.
spec = importlib.util.spec_from_file_location("reference_model", checkout + "/cpa/model.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def read(name, dtype):
    return np.fromfile(folder + "/" + name, dtype=np.float64).astype(dtype)


n_genes, n_cells = read("dim", np.int64)
x = scipy.sparse.csr_matrix(
    (read("data", np.float32), read("indices", np.int64), read("indptr", np.int64)),
    shape=(n_cells, n_genes))
genes = torch.from_numpy(np.asarray(x.todense(), dtype=np.float32))
drug, cell_type = read("drug", np.int64), read("cell_type", np.int64)
drugs = torch.zeros(n_cells, drug.max() + 1)
drugs[torch.arange(n_cells), torch.from_numpy(drug)] = torch.from_numpy(read("dose", np.float32))
types = torch.nn.functional.one_hot(torch.from_numpy(cell_type)).float()

model = module.CPA(int(n_genes), drugs.shape[1], [types.shape[1]], device="cpu", loss_ae="gauss",
                   doser_type=doser, seed=0)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(genes, drugs, types),
                                     batch_size=int(batch), shuffle=True)
for epoch in range(int(epochs)):
    start = time.perf_counter()
    for g, d, t in loader:
        model.update(g, d, [t])
    seconds = time.perf_counter() - start
    print(json.dumps({"epoch": epoch, "cells_per_second": int(n_cells) / seconds}), flush=True)
