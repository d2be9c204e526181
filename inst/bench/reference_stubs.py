"""What the references import and a machine with torch alone lacks, as little as their imports need.

Packages of the references are entered without running their __init__, which would import plotting.
"""
import sys
import types
from types import SimpleNamespace

import torch


def module(name, **attributes):
    made = types.ModuleType(name)
    made.__path__ = []
    for key, value in attributes.items():
        setattr(made, key, value)
    sys.modules[name] = made
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, made)
    return made


def package(name, folder):
    module(name).__path__ = [folder]


def r2(prediction, truth):
    return 1 - (truth - prediction).pow(2).sum() / (truth - truth.mean()).pow(2).sum()


class R2Score:
    def to(self, device):
        return self

    def update(self, prediction, truth):
        self.value = r2(prediction, truth)

    def compute(self):
        return self.value


def accuracy(prediction, truth, task, num_classes, average="micro"):
    hit = (prediction == truth).to(torch.get_default_dtype())
    if average == "micro":
        return hit.mean()
    hits = torch.zeros(num_classes).index_add_(0, truth, hit)
    n = torch.bincount(truth, minlength=num_classes)
    return (hits[n > 0] / n[n > 0]).mean()


class AnnData:
    """The parts of an AnnData that the references' Datasets read."""

    def __init__(self, X, obs, var_names, uns, layers=None, obsm=None):
        self.X, self.obs, self.var_names, self.uns = X, obs, var_names, uns
        self.layers, self.obsm = layers or {}, obsm or {}

    def __len__(self):
        return len(self.obs)

    def __getitem__(self, cells):
        return SimpleNamespace(obs=self.obs[cells])


class Loop:
    """Lightning's side of a module with manual optimisation, without its trainer."""

    device = torch.device("cpu")
    current_epoch = 0
    # Lightning counts the steps of all optimisers, and chemCPA's alternation hangs on that.
    global_step = 0

    def start(self):
        self.trainer = SimpleNamespace(is_last_batch=False)
        made = self.configure_optimizers()
        if isinstance(made[0], dict):
            self.all_optimizers = [one["optimizer"] for one in made]
            self.all_schedulers = [one["lr_scheduler"]["scheduler"] for one in made]
        else:
            self.all_optimizers, self.all_schedulers = made
        for optimizer in self.all_optimizers:
            self.count(optimizer)

    def count(self, optimizer):
        step = optimizer.step

        def counted():
            self.global_step += 1
            return step()

        optimizer.step = counted

    def optimizers(self):
        return self.all_optimizers

    def lr_schedulers(self):
        return self.all_schedulers

    def manual_backward(self, loss):
        loss.backward()

    def clip_gradients(self, optimizer, gradient_clip_val, gradient_clip_algorithm):
        assert gradient_clip_algorithm == "norm"
        torch.nn.utils.clip_grad_norm_(
            [p for group in optimizer.param_groups for p in group["params"]], gradient_clip_val)

    def log(self, *args, **kwargs):
        pass

    def save_hyperparameters(self):
        pass


class LightningModule(Loop, torch.nn.Module):
    pass


def scanpy():
    module("scanpy", read=lambda data: data)
    module("tqdm", tqdm=lambda x, **kwargs: x)
    module("tqdm.auto", tqdm=lambda x, **kwargs: x)


def torchmetrics():
    module("torchmetrics", R2Score=R2Score)
    module("torchmetrics.functional", accuracy=accuracy, r2_score=r2, pearson_corrcoef=None)


def chemcpa():
    scanpy()
    torchmetrics()
    for name in ("sympy", "hydra", "omegaconf", "rdkit"):
        module(name, N=None, OmegaConf=None, Chem=None)
    module("lightning", LightningModule=LightningModule, LightningDataModule=object)
    module("lightning.pytorch")
    module("lightning.pytorch.utilities", rank_zero_only=None)
    # It writes "cuda" where it means its device.
    to = torch.Tensor.to

    def anywhere(self, *args, **kwargs):
        if kwargs.get("device", args[0] if args else None) == "cuda":
            return self
        return to(self, *args, **kwargs)

    torch.Tensor.to = anywhere
