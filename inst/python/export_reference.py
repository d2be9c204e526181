"""Writes a model that a reference implementation has trained as a file for compert's read_reference_fit().

usage: python export_reference.py MODEL OUT.h5 [--data TRAINING.h5ad] [--args JSON]

MODEL is what the reference saved:
  facebookresearch/CPA  model.pt of API.save(), or model_seed=..._epoch=....pt of `python -m cpa.train`
  theislab/chemCPA      a checkpoint of lightning, such as last.ckpt (the code of 2025)
  theislab/cpa          the folder that CPA.save() made, or the model.pt in it (0.8)
  theislab/multicpa     model_seed=..._epoch=....pt of train_compert(), or ..._last.pt of a sweep

A sweep of theislab/multicpa saves hyperparameters alone. What else its model was made with is given by --args:
  --args '{"loss_ae": "nb", "is_vae": true, "doser_type": "linear", "decoder_activation": "linear",
           "perturbation_key": "condition", "dose_key": "dose_val", "cell_type_key": "cell_type",
           "split_key": "split", "proteins_key": "protein_expression", "raw_proteins_key": "protein_expression_raw"}'

Names of genes, perturbations and covariates are in the data that the model was trained on, not in the
weights. They are taken from --data, else from the AnnData object or the path that the saved model holds.
Without any of these they are given to read_reference_fit() in R.

Run it in the environment of the reference: it needs torch, numpy and h5py, and whatever the saved model has
pickled. Reading a pickle runs code: export only models from where you would run a program.
"""
import argparse
import json
import os
import re
import sys

import h5py
import numpy as np
import torch

FORMAT = 1
CONSTANT = "dummy_cov"  # what facebookresearch/CPA calls the covariate that it makes where there is none


def refuse(text):
    sys.exit(f"export_reference.py: {text}")


class Labels:
    """The labels of the cells that a model was trained on, and its genes."""

    def __init__(self, obs, cells, genes, columns=lambda place: None):
        self.obs, self.cells, self.genes = obs, cells, genes  # obs: {column: array}
        self.columns = columns  # names of the columns of an array of obsm, where there are any

    def column(self, name):
        if name == CONSTANT and name not in self.obs:
            return np.full(len(self.cells), CONSTANT, dtype=object)
        if name not in self.obs:
            refuse(f"the training data have no column '{name}', which the model was trained with.")
        return self.obs[name]

    def texts(self, name):
        return np.array([text_of(v) for v in self.column(name)], dtype=object)

    def levels(self, name, encoded):
        """The different values in the order of the references, which sort numbers as numbers."""
        values = np.asarray(self.column(name))
        if values.dtype.kind in "biuf":
            return [text_of(v) for v in np.unique(values)]
        return ordered(set(self.texts(name)), encoded)


def text_of(value):
    """A value as compert names it: 101.0 is "101"."""
    if isinstance(value, (bool, np.bool_)):
        return str(value).upper()
    if isinstance(value, (float, np.floating)):
        return np.format_float_positional(float(f"{value:.15g}"), trim="-")
    return str(value)


def texts_of(values):
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]


def read_column(group, name):
    """A column of a table of an .h5ad file, of anndata 0.7 and later."""
    item = group[name]
    if isinstance(item, h5py.Group):
        if "categories" in item and "codes" in item:
            return coded(item["codes"][:], item["categories"][:], name)
        if "values" in item:
            if "mask" in item and item["mask"][:].any():
                refuse(f"column '{name}' of the training data has missing values.")
            return as_values(item["values"][:])
        refuse(f"column '{name}' of the training data is stored in a way that is not known.")
    if "categories" in item.attrs:
        return coded(item[:], group[item.attrs["categories"]][:], name)
    return as_values(item[:])


def as_values(values):
    return np.array(texts_of(values), dtype=object) if values.dtype.kind in "OSU" else values


def coded(codes, categories, name):
    if len(codes) and codes.min() < 0:
        refuse(f"column '{name}' of the training data has missing values.")
    return as_values(categories)[codes]


class StoredTable(dict):
    """Columns that are read when they are asked for."""

    def __init__(self, group):
        super().__init__()
        self.group = group

    def __contains__(self, name):
        return name in self.group

    def __getitem__(self, name):
        return read_column(self.group, name)


def read_h5ad(path):
    if not os.path.isfile(path):
        refuse(f"there is no file '{path}'.")
    if not h5py.is_hdf5(path):
        refuse(f"'{path}' is no .h5ad file.")
    file = h5py.File(path, "r")
    for part in ("obs", "var"):
        if not isinstance(file.get(part), h5py.Group):
            refuse(f"'{path}' has no table '{part}' of anndata 0.7 or later; write it anew by anndata.")

    def index(part):
        return texts_of(read_column(file[part], file[part].attrs.get("_index", "index")))

    def columns(place):
        """In the table itself, or where totalVI keeps them: read_h5ad() in R looks there too."""
        table = file.get(f"obsm/{place}")
        if isinstance(table, h5py.Group) and "column-order" in table.attrs:
            return texts_of(table.attrs["column-order"])
        for key in (place, re.sub("_(counts|expression|expression_raw)$", "", place)):
            if isinstance(file.get(f"uns/{key}_names"), h5py.Dataset):
                return texts_of(file[f"uns/{key}_names"][:])
        return None
    return Labels(StoredTable(file["obs"]), index("obs"), index("var"), columns)


def labels_of(data, given):
    """From --data, else from what the model holds: an AnnData object, or a path that is still there."""
    if given:
        return read_h5ad(given)
    if hasattr(data, "obs") and hasattr(data, "var_names"):
        obs = {name: np.asarray(data.obs[name]) for name in data.obs.columns}
        return Labels(obs, texts_of(data.obs_names), texts_of(data.var_names))
    if isinstance(data, str) and os.path.isfile(data):
        return read_h5ad(data)
    return None


class Export:
    """What the file will hold."""

    def __init__(self, reference, parity, weights, settings, keys, sizes):
        self.weights, self.cells, self.columns = weights, [], {}
        self.about = dict(format=FORMAT, reference=reference, settings=dict(settings, parity=parity), keys=keys,
                          control=None, genes=None, perturbations=None, covariates=None, proteins=None, **sizes)

    def check_size(self, what, names, n):
        if len(names) != n:
            refuse(f"the training data and the model differ in their number of {what}, {len(names)} and {n}: "
                   "give the data that it was trained on.")

    def name_by(self, labels, encoded=lambda name: name):
        """Takes names from the cells' labels. `encoded`: what the reference makes of a name before it sorts."""
        about, keys = self.about, self.about["keys"]
        about["genes"] = list(labels.genes)
        self.check_size("genes", labels.genes, about["n_genes"])
        if about.get("n_proteins"):
            about["proteins"] = labels.columns(keys["proteins"])
            if about["proteins"] is not None:
                self.check_size("proteins", about["proteins"], about["n_proteins"])
        about["perturbations"] = ordered(parts_of(labels.texts(keys["perturbation"])), encoded)
        self.check_size("perturbations", about["perturbations"], about["n_perturbations"])
        about["covariates"] = {name: labels.levels(name, encoded) for name in keys["covariates"]}
        for (name, levels), n in zip(about["covariates"].items(), about["covariate_levels"]):
            self.check_size(f"levels of '{name}'", levels, n)
        self.take_cells(labels)

    def take_cells(self, labels, words=None):
        """The labels of the cells in the three splits, whose words for them may be others."""
        keys = self.about["keys"]
        self.columns = {name: labels.texts(name) for name in [keys["perturbation"], *keys["covariates"]]}
        if keys["dose"]:
            self.columns[keys["dose"]] = labels.column(keys["dose"])
        self.cells = np.array(labels.cells, dtype=object)
        if keys["split"]:
            words = words or {word: word for word in ("train", "test", "ood")}
            split = [words.get(word) for word in labels.texts(keys["split"])]
            used = np.array([word is not None for word in split])
            self.columns = {name: np.asarray(values)[used] for name, values in self.columns.items()}
            self.columns[keys["split"]] = np.array(split, dtype=object)[used]
            self.cells = self.cells[used]

    def control_by(self, labels):
        of_cells = labels.texts(self.about["keys"]["perturbation"])
        marked = {one for one, mark in zip(of_cells, labels.column("control")) if float(mark) == 1}
        if len(marked) != 1:
            refuse(f"the training data mark {len(marked)} perturbations as controls; one is known.")
        self.about["control"] = marked.pop()

    def write(self, path):
        with h5py.File(path, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            write_table(file, "obs", self.cells, self.columns)
            write_table(file, "var", self.about["genes"] or [], {})
            uns = file.create_group("uns")
            uns.create_dataset("reference", data=json.dumps(self.about, ensure_ascii=False),
                               dtype=h5py.string_dtype("utf-8"))
            for name, values in self.weights.items():
                uns.create_dataset("weights/" + name, data=np.asarray(values, np.float32))


def parts_of(conditions):
    return {part for one in set(conditions) for part in one.split("+")}


def ordered(names, encoded):
    names = sorted(names, key=encoded)
    if len({encoded(name) for name in names}) != len(names):
        refuse("two names of the training data are the same to the reference, which writes '-' for '_'.")
    return names


def write_values(group, name, values):
    """Compressed where that makes the file smaller."""
    group.create_dataset(name, data=values, compression="gzip" if values.nbytes > 4096 else None)


def write_texts(group, name, texts):
    """Of one length, which HDF5 compresses, as it does not those of any length."""
    texts = [text.encode("utf-8") for text in texts]
    write_values(group, name, np.array(texts, dtype=h5py.string_dtype("utf-8", max([1, *map(len, texts)]))))


def write_table(file, path, index, columns):
    group = file.create_group(path)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    group.attrs["column-order"] = (np.array(list(columns), dtype=h5py.string_dtype("utf-8")) if columns else
                                   np.empty(0, "f8"))
    write_texts(group, "_index", index)
    for name, values in columns.items():
        values = np.asarray(values)
        if values.dtype.kind in "fiu":
            write_values(group, name, values)
            continue
        levels, codes = np.unique(values.astype(str), return_inverse=True)
        column = group.create_group(name)
        column.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
        write_texts(column, "categories", levels)
        write_values(column, "codes", codes.astype("i4"))


def arrays(state):
    return {name: value.detach().cpu().numpy() for name, value in state.items()}


def mlp(name, sizes, batch_norm=True):
    """Names and shapes of the references' MLP."""
    out = {}
    for layer in range(len(sizes) - 1):
        last = layer == len(sizes) - 2
        at = layer * (3 if batch_norm else 2)
        out[f"{name}.network.{at}.weight"] = (sizes[layer + 1], sizes[layer])
        out[f"{name}.network.{at}.bias"] = (sizes[layer + 1],)
        if batch_norm and not last:
            out.update(norm_shapes(f"{name}.network.{at + 1}", sizes[layer + 1]))
    return out


def norm_shapes(name, n):
    return {**{f"{name}.{leaf}": (n,) for leaf in ("weight", "bias", "running_mean", "running_var")},
            f"{name}.num_batches_tracked": ()}


def hidden(width, depth):
    return [int(width)] * int(depth)


def compert_shapes(h, genes, drugs, levels, doser, doser_input=1):
    """What facebookresearch/CPA and theislab/chemCPA have in common."""
    dim, wide = int(h["dim"]), hidden(h["autoencoder_width"], h["autoencoder_depth"])
    against = hidden(h["adversary_width"], h["adversary_depth"])
    out = {**mlp("encoder", [genes, *wide, dim]), **mlp("decoder", [dim, *wide, 2 * genes]),
           **mlp("adversary_drugs", [dim, *against, drugs])}
    if doser == "mlp":
        for k in range(drugs):
            out.update(mlp(f"dosers.{k}", [1, *hidden(h["dosers_width"], h["dosers_depth"]), 1], False))
    elif doser == "amortized":
        out.update(mlp("dosers", [doser_input, *hidden(h["dosers_width"], h["dosers_depth"]), 1]))
    else:
        out.update({"dosers.beta": (1, drugs), "dosers.bias": (1, drugs)})
    for k, n in enumerate(levels):
        out[f"covariates_embeddings.{k}.weight"] = (n, dim)
    return out


def check_state(weights, expected):
    for name in sorted(set(expected) ^ set(weights)):
        refuse(f"the saved weights {'lack' if name in expected else 'have'} '{name}', which "
               f"{'its settings ask for' if name in expected else 'is not known'}: "
               "the model is of another version of the reference.")
    for name, shape in expected.items():
        if tuple(weights[name].shape) != tuple(shape):
            refuse(f"'{name}' has the shape {tuple(weights[name].shape)}, its settings ask for {tuple(shape)}: "
                   "the model is of another version of the reference.")


def choice(value, name, known):
    if value not in known:
        refuse(f"'{name}' must be one of {', '.join(map(repr, known))}; it is {value!r}.")
    return value


def needed(settings, names, where):
    for name in names:
        if name not in settings:
            refuse(f"{where} of the saved model lack '{name}': it is of another version of the reference.")


def shape_of(weights, name):
    if name not in weights:
        refuse(f"the saved weights lack '{name}': the model is of another version of the reference.")
    return weights[name].shape


def levels_of(weights):
    out = []
    while f"covariates_embeddings.{len(out)}.weight" in weights:
        out.append(weights[f"covariates_embeddings.{len(out)}.weight"].shape[0])
    return out


SHARED = ["dim", "autoencoder_width", "autoencoder_depth", "adversary_width", "adversary_depth", "dosers_width",
          "dosers_depth"]
TRAINING = ["reg_adversary", "penalty_adversary", "autoencoder_lr", "adversary_lr", "dosers_lr", "autoencoder_wd",
            "adversary_wd", "dosers_wd", "adversary_steps", "batch_size", "step_size_lr"]


def taken(settings, names):
    return {name: settings[name] for name in names if name in settings and settings[name] is not None}


def keys_list(keys, n):
    keys = [keys] if isinstance(keys, str) else list(keys or [])
    if len(keys) != n:
        refuse(f"the saved model names {len(keys)} covariates and has embeddings of {n}.")
    return keys


def facebook(saved, data):
    state, args, _ = saved
    weights, h = arrays(state), args.get("hparams")
    if not isinstance(h, dict):
        refuse("the arguments of the saved model hold no dictionary 'hparams'.")
    needed(h, SHARED, "the hyperparameters")
    choice(args.get("loss_ae"), "loss_ae", ["gauss"])
    doser = choice(args.get("doser_type"), "doser_type", ["mlp", "sigm", "logsigm", "linear"])
    activation = choice(args.get("decoder_activation"), "decoder_activation", ["linear", "ReLU"])
    genes, drugs = shape_of(weights, "encoder.network.0.weight")[1], shape_of(weights, "drug_embeddings.weight")[0]
    levels = levels_of(weights)
    expected = compert_shapes(h, genes, drugs, levels, doser)
    expected["drug_embeddings.weight"] = (drugs, int(h["dim"]))
    check_state(weights, expected)
    if doser == "linear":
        weights = {name: value for name, value in weights.items() if not name.startswith("dosers.")}
    keys = keys_list(args.get("covariate_keys") or CONSTANT, len(levels))
    out = Export("facebookresearch/CPA", "fb", weights,
                 dict(taken(h, SHARED + TRAINING), **taken(args, ["seed", "patience", "checkpoint_freq"]),
                      loss_ae="gauss", doser_type=doser, decoder_activation=activation),
                 dict(perturbation=args.get("perturbation_key"), dose=args.get("dose_key"), covariates=keys,
                      split=args.get("split_key")),
                 dict(n_genes=genes, n_perturbations=drugs, covariate_levels=levels))
    if isinstance(args.get("control"), str):
        out.about["control"] = args["control"].split("_")[0]
    labels = labels_of(args.get("data"), data)
    if labels:
        out.name_by(labels, lambda name: name.replace("_", "-"))
        if "control" in labels.obs:
            out.control_by(labels)
    return out


def mapping(x):
    """Dictionaries of any kind, such as those of omegaconf."""
    return x if hasattr(x, "get") and hasattr(x, "keys") else {}


def chemcpa(saved, data):
    found = mapping(saved["hyper_parameters"])
    model, sizes = mapping(mapping(found.get("config")).get("model")), mapping(found.get("dataset_config"))
    cells = mapping(mapping(found.get("config")).get("dataset"))
    needed(model, ["hparams", "additional_params"], "the configuration")
    needed(sizes, ["num_drugs", "use_drugs_idx"], "the sizes of the data")
    needed(cells, ["perturbation_key", "dose_key", "covariate_keys", "split_key"], "the keys of the data")
    h, more = model["hparams"], mapping(model["additional_params"])
    needed(h, SHARED, "the hyperparameters")
    doser = choice(more.get("doser_type", "logsigm"), "doser_type", ["mlp", "sigm", "logsigm", "amortized", None])
    activation = choice(more.get("decoder_activation", "linear"), "decoder_activation", ["linear", "ReLU"])
    # The features of the molecules are there twice.
    weights = {name[len("model."):]: value for name, value in arrays(saved["state_dict"]).items()
               if name.startswith("model.")}
    inner, drugs = shape_of(weights, "encoder.network.0.weight")[1], int(sizes["num_drugs"])
    table, levels = shape_of(weights, "drug_embeddings.weight"), levels_of(weights)
    expected = compert_shapes(h, inner, drugs, levels, doser, table[1] + 1)
    genes, appended = inner, bool(model.get("append_ae_layer"))
    if appended:  # layers that bring other genes to those of the network, and back
        genes = shape_of(weights, "encoder.network.henc_linear.weight")[1]
        expected.update(appended_shapes(inner, genes))
    expected["drug_embeddings.weight"] = (drugs, table[1])
    for k, n in enumerate(levels):
        expected.update(mlp(f"adversary_covariates.{k}", [
            int(h["dim"]), *hidden(h["adversary_width"], h["adversary_depth"]), n]))
    settings = dict({"reg_adversary_cov": 1.0}, **taken(h, SHARED + TRAINING + ["reg_adversary_cov"]))
    if not more.get("enable_cpa_mode"):
        needed(h, ["embedding_encoder_width", "embedding_encoder_depth"], "the hyperparameters")
        settings.update(taken(h, ["embedding_encoder_width", "embedding_encoder_depth"]))
        expected.update(mlp("drug_embedding_encoder", [
            table[1], *hidden(h["embedding_encoder_width"], h["embedding_encoder_depth"]), int(h["dim"])]))
    check_state(weights, expected)
    if not more.get("enable_cpa_mode"):
        weights["perturbation_features"] = weights.pop("drug_embeddings.weight")
    if doser is None:
        weights = {name: value for name, value in weights.items() if not name.startswith("dosers.")}
    out = Export("theislab/chemCPA", "chemcpa", weights,
                 dict(settings, **taken(more, ["seed", "patience"]), loss_ae="gauss", doser_type=doser or "linear",
                      decoder_activation=activation, use_drugs_idx=bool(sizes["use_drugs_idx"])),
                 dict(perturbation=cells["perturbation_key"], dose=cells["dose_key"],
                      covariates=keys_list(cells["covariate_keys"], len(levels)), split=cells["split_key"]),
                 dict(n_genes=genes, n_perturbations=drugs, covariate_levels=levels,
                      n_genes_inner=inner if appended else 0))
    labels = labels_of(cells.get("dataset_path"), data)
    if labels:
        out.name_by(labels)
        out.control_by(labels)
    return out


def appended_shapes(inner, genes):
    out = {}
    for coder, linear, norm, n in (("encoder", (inner, genes), "henc", inner),
                                   ("decoder", (2 * genes, 2 * inner), "hdec", 2 * inner)):
        at = f"{coder}.network.{norm}"
        out.update({f"{at}_linear.weight": linear, f"{at}_linear.bias": linear[:1]})
        out.update(norm_shapes(f"{at}_bn", n))
    return out


def sizes_of(weights, name, step=3):
    """The sizes of the layers of an MLP."""
    first = shape_of(weights, f"{name}.network.0.weight")
    out = [first[1]]
    while f"{name}.network.{step * (len(out) - 1)}.weight" in weights:
        out.append(weights[f"{name}.network.{step * (len(out) - 1)}.weight"].shape[0])
    return out


MULTI_NAMES = {"rna_encoder": "encoder", "rna_decoder": "decoder", "cell_type_embeddings": "covariates_embeddings.0",
               "adversary_cell_types": "adversary_covariates.0"}
MULTI_ARGS = ["loss_ae", "is_vae", "doser_type", "decoder_activation", "perturbation_key", "dose_key", "cell_type_key"]


def multi_weights(state):
    out = {}
    for name, value in arrays(state).items():
        start, rest = name.split(".", 1) if "." in name else (name, None)
        out[name if rest is None else f"{MULTI_NAMES.get(start, start)}.{rest}"] = value
    return out


def multi_sizes(weights, poe, total, labels):
    """The numbers of genes and proteins."""
    inputs = sizes_of(weights, "encoder")[0]
    if poe:
        return inputs, sizes_of(weights, "protein_encoder")[0]
    if total:
        return sizes_of(weights, "decoder")[-1] // 2, sizes_of(weights, "protein_mixing_decoder")[-1]
    if labels is None:
        refuse("of genes and proteins in one decoder the saved model tells the sum alone: give the data by --data.")
    return len(labels.genes), inputs - len(labels.genes)


def multi_shapes(weights, poe, total, variational, genes, proteins, drugs, cell_types, doser):
    """What a model of these sizes has, with the layers that were found."""
    wide, against = sizes_of(weights, "encoder")[1:-1], sizes_of(weights, "adversary_drugs")[1:-1]
    dim = shape_of(weights, "drug_embeddings.weight")[1]
    state = (2 if variational else 1) * dim
    out = {**mlp("encoder", [genes if poe else genes + proteins, *wide, state]),
           **mlp("decoder", [dim, *wide, 2 * (genes if poe or total else genes + proteins)]),
           **mlp("adversary_drugs", [dim, *against, drugs]),
           **mlp("adversary_covariates.0", [dim, *against, cell_types]),
           "drug_embeddings.weight": (drugs, dim), "covariates_embeddings.0.weight": (cell_types, dim)}
    if poe:
        out.update(mlp("protein_encoder", [proteins, *wide, state]))
    if total:
        for name, n in (("back", 2 * proteins), ("fore_scale", proteins), ("mixing", proteins),
                        ("dispersion", proteins)):
            out.update(mlp(f"protein_{name}_decoder", [dim, *wide, n]))
        out.update({"background_pro_alpha": (proteins,), "background_pro_log_beta": (proteins,)})
    elif poe:
        out.update(mlp("protein_decoder", [dim, *wide, 2 * proteins]))
    if doser == "mlp":
        for k in range(drugs):
            out.update(mlp(f"dosers.{k}", sizes_of(weights, "dosers.0", 2), False))
    else:
        out.update({"dosers.beta": (1, drugs), "dosers.bias": (1, drugs)})
    return out


def unused(given):
    if given:
        refuse("--args must be left out but for a sweep of theislab/multicpa: this model holds its own arguments.")


def multi_args(saved, given):
    """The arguments of the model, and its hyperparameters as far as they were given."""
    if "is_vae" in saved:
        unused(given)
    else:  # a sweep saves the hyperparameters alone
        if not given:
            refuse("the saved model holds its hyperparameters alone: say by --args what else it was made with.")
        saved = dict(given, hparams=dict(saved))
    needed(saved, MULTI_ARGS, "the arguments")
    h = saved.get("hparams") or {}
    return saved, json.loads(h) if isinstance(h, str) else dict(h)


def multicpa(saved, data, given):
    args, h = multi_args(saved[1], given)
    weights = multi_weights(saved[0])
    poe, total = "protein_encoder.network.0.weight" in weights, "background_pro_alpha" in weights
    loss = choice(args["loss_ae"], "loss_ae", ["nb"] if total else ["gauss", "nb"])
    doser = args["doser_type"] if args["doser_type"] in ("mlp", "sigm", "logsigm") else "linear"
    activation = choice(args["decoder_activation"], "decoder_activation", ["linear", "ReLU", "sigm"])
    variational = poe or bool(args["is_vae"])
    labels = labels_of(args.get("dataset_path"), data)
    genes, proteins = multi_sizes(weights, poe, total, labels)
    drugs, dim = shape_of(weights, "drug_embeddings.weight")
    levels = [shape_of(weights, "covariates_embeddings.0.weight")[0]]
    check_state(weights, multi_shapes(weights, poe, total, variational, genes, proteins, drugs, levels[0], doser))
    wide, against = sizes_of(weights, "encoder")[1:-1], sizes_of(weights, "adversary_drugs")[1:-1]
    settings = dict(taken(h, TRAINING + ["kl_annealing_frac", "recon_weight_pro", "kl_weight"]),
                    **taken(args, ["seed", "patience", "checkpoint_freq"]), model="multicpa", dim=dim,
                    autoencoder_width=wide[0], autoencoder_depth=len(wide), adversary_width=against[0],
                    adversary_depth=len(against), loss_ae=loss, protein_loss="nb_mixture" if total else loss,
                    fusion="poe" if poe else "concat", variational=variational, doser_type=doser,
                    decoder_activation=activation)
    if doser == "mlp":
        steps = sizes_of(weights, "dosers.0", 2)[1:-1]
        settings.update(dosers_width=steps[0], dosers_depth=len(steps))
    elif doser == "linear":
        weights = {name: value for name, value in weights.items() if not name.startswith("dosers.")}
    # Either command's names of its arguments.
    place = args.get("raw_protein_key", args.get("raw_proteins_key")) if loss == "nb" else None
    place = place or args.get("protein_key", args.get("proteins_key"))
    out = Export("theislab/multicpa", "multicpa", weights, settings,
                 dict(perturbation=args["perturbation_key"], dose=args["dose_key"], covariates=[args["cell_type_key"]],
                      split=args.get("split_key", "split"), proteins=place or "proteins"),
                 dict(n_genes=genes, n_perturbations=drugs, covariate_levels=levels, n_proteins=proteins))
    if labels:
        out.name_by(labels)
        out.control_by(labels)
    return out


def fc_layers(weights, theirs, ours):
    """Layers of scvi-tools, "Layer 0.1.weight", as those of the other references; their number."""
    out, layers = {}, 0
    for name in [name for name in weights if name.startswith(theirs + ".fc_layers.Layer ")]:
        layer, place, leaf = name[len(theirs + ".fc_layers.Layer "):].split(".")
        out[f"{ours}.network.{3 * int(layer) + int(place)}.{leaf}"] = weights.pop(name)
        layers = max(layers, int(layer) + 1)
    return out, layers


def stacked(weights, theirs, ours, layers):
    return {f"{ours}.network.{3 * layers}.{leaf}": np.concatenate([weights.pop(f"{one}.{leaf}") for one in theirs])
            for leaf in ("weight", "bias")}


def scvi_weights(weights, loss, doser, variational, covariates):
    """theislab/cpa's weights under our names. Its first perturbation is padding."""
    weights = dict(weights)
    coder = "encoder.encoder" if variational else "encoder.network"
    out, layers = fc_layers(weights, coder, "encoder")
    out.update(stacked(weights, ["encoder.mean_encoder", "encoder.var_encoder"] if variational else ["encoder.z"],
                       "encoder", layers))
    decoder, layers = fc_layers(weights, "decoder.encoder" if loss == "gauss" else "decoder.px_decoder", "decoder")
    out.update(decoder)
    last = {"gauss": ["decoder.mean_encoder", "decoder.var_encoder"], "nb": ["decoder.px_scale_decoder.0"],
            "zinb": ["decoder.px_scale_decoder.0", "decoder.px_dropout_decoder"]}[loss]
    out.update(stacked(weights, last, "decoder", layers))
    if loss != "gauss":
        out["dispersion"] = weights.pop("px_r")
    table = weights.pop("pert_network.pert_embedding.weight")[1:]
    if "pert_network.pert_transformation.weight" in weights:
        out["perturbation_features"] = table
        for leaf in ("weight", "bias"):
            out[f"drug_embedding_encoder.network.0.{leaf}"] = weights.pop(f"pert_network.pert_transformation.{leaf}")
    else:
        out["drug_embeddings.weight"] = table
    for leaf in ("beta", "bias"):
        curve = weights.pop(f"pert_network.dosers.{leaf}")[:, 1:]
        if doser != "linear":
            out[f"dosers.{leaf}"] = curve
    for k, name in enumerate(covariates):
        out[f"covariates_embeddings.{k}.weight"] = weights.pop(f"covars_embeddings.{name}.weight")
    for name in weights:
        # Of counts the decoder has outputs that this likelihood does not read.
        if not name.startswith(("decoder.px_r_decoder.", "decoder.px_dropout_decoder.")):
            refuse(f"the saved weights have '{name}', which is not known: the model is of another version.")
    return out


def norm(h, part):
    return ("batch" if h.get(f"use_batch_norm_{part}", True) else
            "layer" if h.get(f"use_layer_norm_{part}", False) else "none")


def theislab(saved, data, folder):
    info = os.path.join(folder, "CPA_info.json")
    if not os.path.isfile(info):
        refuse(f"there is no '{info}', which CPA.save() writes beside the weights.")
    with open(info, encoding="utf-8") as file:
        info = json.load(file)
    attributes = mapping(saved["attr_dict"])
    needed(attributes, ["init_params_", "registry_"], "the attributes")
    start = mapping(attributes["init_params_"])
    h = mapping(mapping(start.get("kwargs")).get("hyper_params"))
    place, setup = mapping(start.get("non_kwargs")), mapping(mapping(attributes["registry_"]).get("setup_args"))
    needed(setup, ["perturbation_key", "control_group"], "the arguments of setup_anndata()")
    loss = choice(str(h.get("recon_loss", "nb")).lower(), "recon_loss", ["gauss", "nb", "zinb"])
    doser = choice(h.get("doser_type", "logsigm"), "doser_type", ["linear", "sigm", "logsigm"])
    names = [name for name in sorted(info["pert_encoder"], key=info["pert_encoder"].get) if name != "<PAD>"]
    covariates = {name: sorted(levels, key=levels.get) for name, levels in (info["covars_encoder"] or {}).items()}
    labels = labels_of(os.path.join(folder, "adata.h5ad"), data)
    try:
        weights = scvi_weights(arrays(saved["model_state_dict"]), loss, doser, bool(h.get("variational")), covariates)
    except KeyError as missing:
        refuse(f"the saved weights lack {missing}: the model is of another version of the reference.")
    settings = dict(loss_ae=loss, doser_type=doser, dim=h.get("n_latent", 128), seed=h.get("seed", 0),
                    autoencoder_width=h.get("n_hidden_encoder", 256), autoencoder_depth=h.get("n_layers_encoder", 3),
                    decoder_width=h.get("n_hidden_decoder", 256), decoder_depth=h.get("n_layers_decoder", 3),
                    encoder_norm=norm(h, "encoder"), decoder_norm=norm(h, "decoder"),
                    encoder_dropout=h.get("dropout_rate_encoder", 0), variational=bool(h.get("variational", False)),
                    decoder_dropout=h.get("dropout_rate_decoder", 0))
    dose = setup.get("dosage_key")
    out = Export("theislab/cpa", "theislab", weights, settings,
                 dict(perturbation=setup["perturbation_key"], dose=None if dose == "CPA_dose_val" else dose,
                      covariates=list(covariates), batch=setup.get("batch_key"), split=place.get("split_key")),
                 dict(n_genes=len(saved["var_names"]), n_perturbations=len(names),
                      covariate_levels=[len(levels) for levels in covariates.values()]))
    out.about.update(genes=texts_of(saved["var_names"]), perturbations=names, covariates=covariates,
                     control=setup["control_group"])
    out.about["covariates"] = {name: level_names(levels, labels.column(name) if labels else None)
                               for name, levels in covariates.items()}
    if labels:
        out.take_cells(labels, split_words(place))
    return out


def level_names(levels, values):
    """Of numbers JSON has Python's texts. `values`: the column, where it is known."""
    if values is not None and np.asarray(values).dtype.kind not in "bf":
        return levels
    if set(levels) <= {"True", "False"}:
        return [level.upper() for level in levels]
    try:
        numbers = [float(level) for level in levels]
    except ValueError:
        return levels
    return [text_of(v) for v in numbers] if [repr(v) for v in numbers] == levels else levels


def split_words(place):
    """The words for the three splits that CPA() was given."""
    words = {}
    for ours, argument in (("train", "train_split"), ("test", "valid_split"), ("ood", "test_split")):
        given = place.get(argument, ours)
        words.update({word: ours for word in ([given] if isinstance(given, str) else given)})
    return words


def read_saved(path):
    if os.path.isdir(path):
        path = os.path.join(path, "model.pt")
    if not os.path.isfile(path):
        refuse(f"there is no file '{path}'.")
    try:
        # torch 2.6 would read weights only, and the saved models hold their settings too.
        try:
            return torch.load(path, map_location="cpu", weights_only=False), path
        except TypeError:
            return torch.load(path, map_location="cpu"), path
    except ModuleNotFoundError as missing:
        refuse(f"'{path}' needs the package '{missing.name}': run this where the model was trained.")
    except Exception as error:  # pickle and zip have many
        refuse(f"'{path}' can't be read by torch.load(): {error}")


def exported(saved, path, data, given=None):
    if isinstance(saved, (tuple, list)) and len(saved) == 3 and all(map(mapping, saved[:2])):
        if "cell_type_embeddings.weight" in saved[0]:
            return multicpa(saved, data, given)
        unused(given)
        return facebook(saved, data)
    unused(given)
    if isinstance(saved, dict) and {"state_dict", "hyper_parameters"} <= set(saved):
        return chemcpa(saved, data)
    if isinstance(saved, dict) and {"model_state_dict", "var_names", "attr_dict"} <= set(saved):
        return theislab(saved, data, os.path.dirname(os.path.abspath(path)))
    refuse(f"'{path}' is no saved model of facebookresearch/CPA, theislab/chemCPA (2025), theislab/cpa (0.8) or "
           "theislab/multicpa.")


def json_object(text):
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else refuse(f"--args must be a JSON object; it is {text!r}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--data")
    parser.add_argument("--args", type=json_object)
    given = parser.parse_args()
    if os.path.exists(given.out):
        refuse(f"'{given.out}' is there already: give the name of a new file.")
    saved, path = read_saved(given.model)
    out = exported(saved, path, given.data, given.args)
    try:
        out.write(given.out)
    except OSError as error:
        refuse(f"'{given.out}' can't be written: {error}")
    about = out.about
    missing = [name for name in ("genes", "perturbations", "covariates", "control", "proteins")
               if about[name] is None and (name != "proteins" or about.get("n_proteins"))]
    print(f"{given.out}: {about['reference']}, {about['n_genes']} genes, "
          + (f"{about['n_proteins']} proteins, " if about.get("n_proteins") else "")
          + f"{about['n_perturbations']} perturbations"
          + (f"; to be given in R: {', '.join(missing)}" if missing else ""))


if __name__ == "__main__":
    main()
