"""Trains, or predicts with, the models of reference checkouts on arrays that tools/bench wrote.

usage: references.py train|predict MODEL CHECKOUT FOLDER BATCH THREADS EPOCHS

MODEL is one of cpa, cpa188 (facebookresearch/CPA), theislab (theislab/cpa), chemcpa
(theislab/chemCPA), multicpa and poe (theislab/multicpa). Updates, data sets, loaders, predictions
and evaluations are the references' own; only what surrounds them is written here. One JSON line
per epoch, or per repetition of a prediction: what, cells, seconds. Loading and updates are timed,
making the data set and the model is not.
"""
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import scipy.sparse
import torch

import reference_scvi
import reference_stubs as stubs

warnings.filterwarnings("ignore")


class Screen:
    """The arrays of the folder, with the names that the references' tables want."""

    def __init__(self, folder):
        self.folder = folder
        n_genes, n_cells = self.read("dim", int)
        self.x = scipy.sparse.csr_matrix(
            (self.read("data", np.float32), self.read("indices", int), self.read("indptr", int)),
            shape=(n_cells, n_genes))
        self.var_names = pd.Index([f"g{i}" for i in range(n_genes)])
        self.drug, self.cell_type = self.read("drug", int), self.read("cell_type", int)
        self.dose = self.read("dose", np.float32)
        names = np.array(["control"] + [f"d{i:03}" for i in range(1, self.drug.max() + 1)])
        self.obs = pd.DataFrame({
            "condition": names[self.drug], "dose_val": [f"{d:g}" for d in self.dose],
            "cell_type": np.array(["A", "B", "C"])[self.cell_type],
            "split": np.array(["train", "test"])[self.read("test", int)],
            "control": (self.drug == 0).astype(int)})
        self.obs["cov_drug_dose_name"] = (
            self.obs.cell_type + "_" + self.obs.condition + "_" + self.obs.dose_val)
        # Ranking genes is part of no measurement: every condition has the first fifty.
        self.uns = {"rank_genes_groups_cov": {
            k: list(self.var_names[:50]) for k in self.obs.cov_drug_dose_name.unique()}}

    def read(self, name, dtype):
        return np.fromfile(f"{self.folder}/{name}", dtype=np.float64).astype(dtype)

    def matrix(self, name, n_rows):
        return self.read(name, np.float32).reshape(n_rows, -1)

    def anndata(self, **more):
        return stubs.AnnData(self.x, self.obs.copy(), self.var_names, self.uns, **more)


def loader(dataset, batch, **more):
    return torch.utils.data.DataLoader(dataset, batch_size=batch, shuffle=True, **more)


def predicted_cells(dataset, more_than, controls, skip="none"):
    names, counts = np.unique(dataset.pert_categories, return_counts=True)
    return int(sum((counts > more_than) & ~np.char.count(names.astype(str), skip).astype(bool))
               * len(controls))


def facebook(screen, checkout, batch, epochs, doser):
    stubs.scanpy()
    stubs.package("cpa", checkout + "/cpa")
    from cpa.api import API
    from cpa.train import evaluate_r2
    api = API(screen.anndata(), doser_type=doser, device="cpu", save_dir=None,
              hparams={"batch_size": batch})
    batches = loader(api.datasets["training"], api.model.hparams["batch_size"])

    def train(epoch):
        for data in batches:
            api.model.update(data[0], data[1], data[2:])

    test = api.datasets["test"]
    treated, controls = test.subset_condition(control=False), test.subset_condition(control=True)
    drugs = sorted(set(api.unique_perts) - {"control"})

    def predict():
        api.predict(controls.genes, {"cell_type": ["A"] * len(drugs)}, drugs, ["1"] * len(drugs),
                    uncertainty=False, return_anndata=False)

    def evaluate():
        api.model.eval()
        with torch.no_grad():
            evaluate_r2(api.model, treated, controls.genes)

    return {"": train}, {
        "predict": (predict, len(drugs) * len(controls)),
        "evaluate_r2": (evaluate, predicted_cells(treated, 30, controls))}, len(batches.dataset)


def theislab(screen, checkout, batch, epochs):
    reference_scvi.install()
    stubs.package("cpa", checkout + "/cpa")
    from cpa._module import CPAModule
    from cpa._task import CPATrainingPlan
    from cpa._utils import CPA_REGISTRY_KEYS as keys
    keys.PERTURBATION_KEY = "perturbation"
    n_drugs, types = int(screen.drug.max() + 1), {"A": 0, "B": 1, "C": 2}
    column = lambda values: torch.as_tensor(np.asarray(values)).view(-1, 1)
    zero = np.zeros(len(screen.drug))
    tensors = {
        keys.X_KEY: torch.from_numpy(screen.x.toarray()),
        keys.PERTURBATION_KEY: column(screen.drug), "cell_type": column(screen.cell_type),
        # One slot of two is padding, as its setup_anndata() makes it by default.
        keys.PERTURBATIONS: torch.from_numpy(np.stack([screen.drug + 1, zero], 1)),
        keys.PERTURBATIONS_DOSAGES: torch.from_numpy(np.stack([screen.dose, zero], 1)).float(),
        keys.CATEGORY_KEY: column(pd.factorize(screen.obs.cov_drug_dose_name)[0])}

    def plan_of(r2):
        module = CPAModule(screen.x.shape[1], n_drugs + 1, {"cell_type": types}, recon_loss="nb")
        plan = CPATrainingPlan(module, {"cell_type": types}, n_drugs)
        plan.start()
        if not r2:
            module.r2_metric = lambda *args, **kwargs: (0.0, 0.0)

        def train(epoch):
            plan.current_epoch = epoch
            order = torch.randperm(len(screen.drug)).split(batch)
            for k, cells in enumerate(order):
                plan.training_step({name: t[cells] for name, t in tensors.items()}, k)

        return train

    return {"": plan_of(True), "without the r2 of its steps": plan_of(False)}, {}, len(screen.drug)


def yaml(path):
    """Flat files of "key: value" only."""
    lines = [line.split("#")[0].split(":") for line in open(path) if ":" in line.split("#")[0]]
    values = {}
    for key, value in lines:
        try:
            values[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            values[key.strip()] = value.strip()
    return values


def chemcpa(screen, checkout, batch, epochs):
    stubs.chemcpa()
    stubs.package("chemCPA", checkout + "/chemCPA")
    import chemCPA.lightning_module as lightning
    from chemCPA.data.data import Dataset
    from chemCPA.data.perturbation_data_module import custom_collate
    from chemCPA.train import evaluate_r2
    obs = {name: screen.obs[name].to_numpy(str) for name in screen.obs.columns if name != "control"}
    obs["control"] = screen.obs.control.to_numpy()
    obs["smiles"] = obs["condition"]
    dataset = Dataset({"X": screen.x, "var_names": screen.var_names, "obs": obs, "uns": screen.uns},
                      "condition", "dose_val", "cell_type", "smiles", use_drugs_idx=True)
    features = torch.from_numpy(screen.matrix("molecules", dataset.num_drugs))
    lightning.get_chemical_representation = lambda **_: torch.nn.Embedding.from_pretrained(features)
    folder = checkout + "/config/model/"
    hparams = dict(yaml(folder + "hparams/default.yaml"), batch_size=batch)
    module = lightning.ChemCPA(
        {"model": {"hparams": hparams, "embedding": {"datapath": ""}, "append_ae_layer": False,
                   "additional_params": yaml(folder + "additional_params/default.yaml")}},
        {name: getattr(dataset, name) for name in (
            "num_genes", "num_drugs", "num_covariates", "use_drugs_idx",
            "canon_smiles_unique_sorted")})
    module.model.device = "cpu"
    module.start()
    batches = loader(dataset.subset("train"), batch, collate_fn=custom_collate)

    def train(epoch):
        for k, data in enumerate(batches):
            module.trainer.is_last_batch = k + 1 == len(batches)
            module.training_step(data, k)

    treated, controls = dataset.subset("test", "treated"), dataset.subset("test", "control")

    def evaluate():
        module.eval()
        with torch.no_grad():
            evaluate_r2(module.model, treated, controls.genes)

    return {"": train}, {"evaluate_r2": (evaluate, predicted_cells(treated, 5, controls, "control"))
                         }, len(batches.dataset)


def multicpa(screen, checkout, batch, epochs, model):
    stubs.scanpy()
    stubs.package("MultiCPA", checkout + "/MultiCPA")
    from MultiCPA.train import evaluate_r2, prepare_compert
    proteins = screen.matrix("proteins", len(screen.drug))
    # Its loader takes no cell without raw counts, which the Gaussian loss then leaves unread.
    data = screen.anndata(layers={"counts": screen.x},
                          obsm={"proteins": proteins, "raw_proteins": proteins})
    autoencoder, datasets = prepare_compert(dict(
        dataset_path=data, perturbation_key="condition", dose_key="dose_val",
        cell_type_key="cell_type", split_key="split", raw_counts_key="counts",
        protein_key="proteins", raw_protein_key="raw_proteins", seed=0, loss_ae="gauss",
        doser_type="sigm", patience=20, hparams={"batch_size": batch}, decoder_activation="linear",
        is_vae=model == "PoEComPert"), model)
    batches = loader(datasets["training"], batch)

    def train(epoch):
        for data in batches:
            autoencoder.update(*data, epoch, epochs)

    treated, controls = datasets["test_treated"], datasets["test_control"]

    def evaluate():
        autoencoder.eval()
        with torch.no_grad():
            evaluate_r2(autoencoder, treated, controls.genes, controls.proteins)

    return {"": train}, {"evaluate_r2": (evaluate, predicted_cells(treated, 30, controls))
                         }, len(batches.dataset)


MODELS = {
    "cpa": lambda *args: facebook(*args, "sigm"),
    "cpa188": lambda *args: facebook(*args, "mlp"),
    "theislab": theislab,
    "chemcpa": chemcpa,
    "multicpa": lambda *args: multicpa(*args, "ComPert"),
    "poe": lambda *args: multicpa(*args, "PoEComPert"),
}


def main(mode, model, checkout, folder, batch, threads, epochs):
    # The references print as they go; only the lines of this program go to the standard output.
    out, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    epochs = int(epochs)
    trained, predicted, n = MODELS[model](Screen(folder), checkout, int(batch), epochs)
    runs = ({what: (run, n) for what, run in trained.items()} if mode == "train" else
            {what: (lambda _, run=run: run(), cells) for what, (run, cells) in predicted.items()})
    for epoch in range(epochs):
        for what, (run, cells) in runs.items():
            start = time.perf_counter()
            run(epoch)
            line = {"what": what, "cells": cells, "seconds": time.perf_counter() - start}
            print(json.dumps(line), file=out, flush=True)


main(*sys.argv[1:])
