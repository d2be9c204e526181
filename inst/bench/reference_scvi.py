"""Stand-ins for the classes of scvi-tools (0.20) that theislab/cpa builds on.

They follow its definitions and do the same arithmetic (ten updates agree with ones recorded on
scvi-tools 0.20.3 to 1e-12), but are not its code: what is measured of theislab/cpa is its own
module and training plan on top of these.
"""
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from reference_stubs import Loop, module, torchmetrics


class FCLayers(nn.Module):
    def __init__(self, n_in, n_out, n_cat_list=None, n_layers=1, n_hidden=128, dropout_rate=0.1,
                 use_batch_norm=True, use_layer_norm=False, activation_fn=nn.ReLU):
        super().__init__()
        sizes = [n_in] + (n_layers - 1) * [n_hidden] + [n_out]
        layers = []
        for a, b in zip(sizes[:-1], sizes[1:]):
            layers.append(nn.Linear(a, b))
            if use_batch_norm:
                layers.append(nn.BatchNorm1d(b, momentum=0.01, eps=0.001))
            if use_layer_norm:
                layers.append(nn.LayerNorm(b, elementwise_affine=False))
            layers.append(activation_fn())
            if dropout_rate > 0:
                layers.append(nn.Dropout(p=dropout_rate))
        self.layers = nn.Sequential(*layers)

    def forward(self, x, *categories):
        return self.layers(x)


class Encoder(nn.Module):
    def __init__(self, n_input, n_output, n_hidden, n_layers, dropout_rate=0.1, var_activation=None,
                 return_dist=False, **layers):
        super().__init__()
        self.encoder = FCLayers(n_input, n_hidden, n_layers=n_layers, n_hidden=n_hidden,
                                dropout_rate=dropout_rate, **layers)
        self.mean_encoder = nn.Linear(n_hidden, n_output)
        self.var_encoder = nn.Linear(n_hidden, n_output)
        self.var_activation = torch.exp if var_activation is None else var_activation
        self.return_dist = return_dist

    def forward(self, x):
        q = self.encoder(x)
        mean = self.mean_encoder(q)
        var = self.var_activation(self.var_encoder(q)) + 1e-4
        distribution = torch.distributions.Normal(mean, var.sqrt())
        latent = distribution.rsample()
        return (distribution, latent) if self.return_dist else (mean, var, latent)


class DecoderSCVI(nn.Module):
    def __init__(self, n_input, n_output, n_layers, n_hidden, **layers):
        super().__init__()
        self.px_decoder = FCLayers(n_input, n_hidden, n_layers=n_layers, n_hidden=n_hidden,
                                   dropout_rate=0, **layers)
        self.px_scale_decoder = nn.Sequential(nn.Linear(n_hidden, n_output), nn.Softmax(dim=-1))
        self.px_r_decoder = nn.Linear(n_hidden, n_output)
        self.px_dropout_decoder = nn.Linear(n_hidden, n_output)

    def forward(self, dispersion, z, library):
        px = self.px_decoder(z)
        scale = self.px_scale_decoder(px)
        return scale, None, torch.exp(library) * scale, self.px_dropout_decoder(px)


class Classifier(nn.Module):
    def __init__(self, n_input, n_labels, n_hidden, n_layers, logits, **layers):
        super().__init__()
        assert logits
        self.classifier = nn.Sequential(
            FCLayers(n_input, n_hidden, n_layers=n_layers, n_hidden=n_hidden, **layers),
            nn.Linear(n_hidden, n_labels))

    def forward(self, x):
        return self.classifier(x)


class NegativeBinomial:
    eps = 1e-8

    def __init__(self, mu, theta):
        self.mu, self.theta = torch.distributions.utils.broadcast_all(mu, theta)

    def log_prob(self, x):
        mu, theta, eps = self.mu, self.theta, self.eps
        log_theta_mu = torch.log(theta + mu + eps)
        return (theta * (torch.log(theta + eps) - log_theta_mu)
                + x * (torch.log(mu + eps) - log_theta_mu)
                + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1))


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    def __init__(self, mu, theta, zi_logits):
        super().__init__(mu, theta)
        self.zi_logits = zi_logits

    def log_prob(self, x):
        mu, theta, pi, eps = self.mu, self.theta, self.zi_logits, self.eps
        softplus_pi = F.softplus(-pi)
        log_theta_mu = torch.log(theta + mu + eps)
        pi_theta = -pi + theta * (torch.log(theta + eps) - log_theta_mu)
        zero = F.softplus(pi_theta) - softplus_pi
        more = (-softplus_pi + pi_theta + x * (torch.log(mu + eps) - log_theta_mu)
                + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1))
        return (x < eps).float() * zero + (x > eps).float() * more


class BaseModuleClass(nn.Module):
    def forward(self, tensors, compute_loss=False, inference_kwargs=None):
        assert not compute_loss
        inferred = self.inference(**self._get_inference_input(tensors), **(inference_kwargs or {}))
        return inferred, self.generative(**self._get_generative_input(tensors, inferred))


class TrainingPlan(Loop, nn.Module):
    kl_weight = 1.0

    def __init__(self, module, lr, **schedule):
        super().__init__()
        self.module, self.lr = module, lr


def install():
    torchmetrics()
    module("scvi", settings=SimpleNamespace(seed=0))
    module("scvi.distributions", NegativeBinomial=NegativeBinomial,
           ZeroInflatedNegativeBinomial=ZeroInflatedNegativeBinomial)
    module("scvi.module", Classifier=Classifier)
    module("scvi.module.base", BaseModuleClass=BaseModuleClass, auto_move_data=lambda f: f)
    module("scvi.model", SCVI=None)
    module("scvi.nn", Encoder=Encoder, DecoderSCVI=DecoderSCVI, FCLayers=FCLayers)
    module("scvi.train", TrainingPlan=TrainingPlan)
