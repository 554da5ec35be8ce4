"""The contender torch of speed.py, in an environment with PyTorch and NumPy.

    python speed_torch.py FOLDER    answers lines such as {"do": "version"}

Its variants: `eager`, the plain loop; `channels-last`, the same with the
channels in the last axis in memory; `compiled`, where `torch.compile` is given
the losses, and Adam is the fused one.
"""

import math
import pathlib
import sys
import time

import numpy as np
import speed_cases
import speed_process
import torch
from speed_torch_networks import networks_of
from torch.nn import functional

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Loop:
    """What all have: networks, optimizers, and an epoch over the pictures.

    A subclass has `step`, which returns the losses in the order of `case.logs`.
    """

    def __init__(self, case, variant, images):
        self.case, self.compiled = case, variant == "compiled"
        self.format = torch.contiguous_format
        if variant == "channels-last":
            self.format = torch.channels_last
        # (batch, height, width, channels) in memory, until a batch is cast
        self.images = torch.from_numpy(images)
        self.networks = networks_of(case).to(DEVICE, memory_format=self.format)
        self.sizes = speed_cases.sizes(
            self.networks,
            lambda network: [p.shape for p in network.parameters()],
        )

    def fast(self, function):
        return torch.compile(function) if self.compiled else function

    def adam(self, *names):
        parameters = [
            p for name in names for p in self.networks[name].parameters()
        ]
        return torch.optim.Adam(
            parameters,
            speed_cases.RATE,
            (self.case.beta_1, 0.999),
            speed_cases.EPSILON,
            fused=self.compiled,
        )

    def train(self, steps, epochs):
        """Returns seconds, and the losses of the last epoch by name."""
        size = self.case.batch
        start = time.perf_counter()
        for _ in range(epochs):
            losses = []
            for index in torch.randperm(steps * size).split(size):
                x = self.images[index].permute(0, 3, 1, 2).to(DEVICE)
                x = x.float().div(255).contiguous(memory_format=self.format)
                losses.append(torch.stack(self.step(x)))
            means = torch.stack(losses).mean(0).tolist()
        seconds = time.perf_counter() - start
        return seconds, dict(zip(self.case.logs, means))


def minimise(loss, optimizer, variables=None):
    """A step of an optimizer, by the loss's gradient alone."""
    variables = optimizer.param_groups[0]["params"]
    gradients = torch.autograd.grad(loss, variables)
    for variable, gradient in zip(variables, gradients):
        variable.grad = gradient
    optimizer.step()


def noise(x):
    return torch.randn(len(x), speed_cases.LATENT, device=DEVICE)


def posterior(encoder, x):
    """z from q(z|x), and the KL divergence to the prior."""
    mean, log_var = encoder(x).chunk(2, 1)
    z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
    kl = 0.5 * torch.sum(log_var.exp() + mean**2 - 1 - log_var)
    return z, kl / len(x)


class VAE(Loop):
    def __init__(self, *args):
        super().__init__(*args)
        self.encoder, self.decoder = self.networks.values()
        self.optimizer = self.adam("encoder", "decoder")
        self.losses = self.fast(self.losses)

    def losses(self, x):
        z, kl = posterior(self.encoder, x)
        error = functional.binary_cross_entropy_with_logits(
            self.decoder(z), x, reduction="sum"
        )
        return error / len(x) + kl

    def step(self, x):
        self.optimizer.zero_grad()
        loss = self.losses(x)
        loss.backward()
        self.optimizer.step()
        return [loss.detach()]


class Denoising(VAE):
    def losses(self, x):
        low, high = speed_cases.NOISE
        level = low + (high - low) * torch.rand(len(x), 1, 1, 1, device=DEVICE)
        noisy = x + level * torch.randn_like(x)
        clean = self.decoder(self.encoder(noisy))
        variance = ((x - clean) ** 2).mean((1, 2, 3)).clamp_min(1e-6)
        loss = 0.5 * self.case.pixels * (torch.log(2 * math.pi * variance) + 1)
        return loss.mean()


def mean_softplus(x):
    return functional.softplus(x).mean()


class GAN(Loop):
    def __init__(self, *args):
        super().__init__(*args)
        self.generator, self.discriminator = self.networks.values()
        self.generator_adam = self.adam("generator")
        self.discriminator_adam = self.adam("discriminator")
        self.discriminator_losses = self.fast(self.discriminator_losses)
        self.generator_loss = self.fast(self.generator_loss)

    def step(self, x):
        for part in x.chunk(self.case.discriminator_steps):
            with torch.no_grad():
                fake = self.generator(noise(part))
            loss, penalty = self.discriminator_losses(part, fake)
            minimise(loss + penalty, self.discriminator_adam)
        generator_loss = self.generator_loss(part)
        minimise(generator_loss, self.generator_adam)
        losses = [loss.detach(), generator_loss.detach()]
        return [*losses, penalty.detach()] if self.case.penalty else losses

    def discriminator_losses(self, x, fake):
        real, penalty = self.penalised(x, fake)
        _, fake = self.discriminator(fake)
        if self.case.loss == "wasserstein":
            return fake.mean() - real.mean(), penalty
        return mean_softplus(-real) + mean_softplus(fake), penalty

    def penalised(self, x, fake):
        """The logits of real examples, and the penalty on the gradient."""
        if self.case.penalty is None:
            return self.discriminator(x)[1], torch.zeros((), device=DEVICE)
        points = x
        if self.case.penalty == "gradient_penalty":
            u = torch.rand(len(x), 1, 1, 1, device=DEVICE)
            points = u * x + (1 - u) * fake
        points = points.detach().requires_grad_()
        _, logits = self.discriminator(points)
        (gradient,) = torch.autograd.grad(
            logits.sum(), points, create_graph=True
        )
        square = (gradient**2).sum((1, 2, 3))
        if self.case.penalty == "r1":
            return logits, 0.5 * speed_cases.R1_WEIGHT * square.mean()
        distance = torch.sqrt(square + 1e-12) - 1
        penalty = speed_cases.GP_WEIGHT * (distance**2).mean()
        return self.discriminator(x)[1], penalty

    def generator_loss(self, x):
        _, logits = self.discriminator(self.generator(noise(x)))
        if self.case.loss == "wasserstein":
            return -logits.mean()
        return mean_softplus(-logits)


class VAEGAN(Loop):
    def __init__(self, *args):
        super().__init__(*args)
        self.encoder, self.decoder, self.discriminator = self.networks.values()
        self.players = [self.adam(name) for name in self.networks]
        self.losses = self.fast(self.losses)

    def losses(self, x):
        z, kl = posterior(self.encoder, x)
        x1, x2 = self.decoder(z), self.decoder(noise(x))
        features, real = self.discriminator(x)
        features1, fake1 = self.discriminator(x1)
        _, fake2 = self.discriminator(x2)
        discriminator = (
            mean_softplus(-real) + mean_softplus(fake1) + mean_softplus(fake2)
        )
        generator = mean_softplus(-fake1) + mean_softplus(-fake2)
        error = 0.5 * ((features - features1) ** 2).sum(1).mean()
        return kl, error, discriminator, generator

    def step(self, x):
        kl, error, discriminator, generator = self.losses(x)
        losses = [
            speed_cases.KL_WEIGHT * kl + error,
            error + generator,
            discriminator,
        ]
        for loss, optimizer in zip(losses, self.players):
            variables = optimizer.param_groups[0]["params"]
            gradients = torch.autograd.grad(loss, variables, retain_graph=True)
            for variable, gradient in zip(variables, gradients):
                variable.grad = gradient
        for optimizer in self.players:
            optimizer.step()
        return [error.detach(), discriminator.detach(), generator.detach()]


def build(case, variant, folder):
    torch._dynamo.reset()
    # Several gradients of one graph: its buffers must stay.
    torch._functorch.config.donated_buffer = False
    case = speed_cases.CASES[case]
    images = np.load(pathlib.Path(folder, speed_cases.file_name(case.shape)))
    cls = {
        "vae": VAE,
        "gan": GAN,
        "vaegan": VAEGAN,
        "denoising_autoencoder": Denoising,
    }[case.model]
    return cls(case, variant, images)


if __name__ == "__main__":
    # On GPUs as TensorFlow does it: products in TF32.
    torch.set_float32_matmul_precision("high")
    speed_process.serve(
        f"PyTorch {torch.__version__} on {DEVICE}", build, sys.argv[1]
    )
