"""The PyTorch side of speed.py: training on demand, in its own environment.

Reads lines such as `dense 2 60000` (a network, epochs, examples) on standard
input, and answers each with a line of JSON.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH = 128


class Dense(nn.Module):
    def __init__(self, latent=20):
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean, self.log_var = nn.Linear(400, latent), nn.Linear(400, latent)
        self.up, self.out = nn.Linear(latent, 400), nn.Linear(400, 784)

    def encode(self, x):
        hidden = functional.relu(self.hidden(x.flatten(1)))
        return self.mean(hidden), self.log_var(hidden)

    def decode(self, z):
        logits = self.out(functional.relu(self.up(z)))
        return logits.view(-1, 1, 28, 28)


class Conv(nn.Module):
    def __init__(self, latent=20):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2048, 256),
            nn.ReLU(),
        )
        self.mean, self.log_var = nn.Linear(256, latent), nn.Linear(256, latent)
        self.up = nn.Sequential(
            nn.Linear(latent, 256),
            nn.ReLU(),
            nn.Linear(256, 2048),
            nn.ReLU(),
            nn.Unflatten(1, (128, 4, 4)),
            nn.ConvTranspose2d(128, 64, 4, 2, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 4, 2, 1),
        )

    def encode(self, x):
        hidden = self.down(x)
        return self.mean(hidden), self.log_var(hidden)

    def decode(self, z):
        return self.up(z)


def epoch(model, optimizer, x):
    total = 0.0
    order = torch.randperm(len(x))
    for index in order.split(BATCH):
        batch = x[index].float() / 255
        mean, log_var = model.encode(batch)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        logits = model.decode(z)
        reconstruction = functional.binary_cross_entropy_with_logits(
            logits, batch, reduction="sum"
        )
        kl = 0.5 * torch.sum(log_var.exp() + mean**2 - 1 - log_var)
        loss = (reconstruction + kl) / len(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(x)


def main():
    images = np.load(sys.argv[1])
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    models = {"dense": Dense(), "conv": Conv()}
    optimizers = {
        name: torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
        for name, model in models.items()
    }
    for line in sys.stdin:
        name, epochs, count = line.split()
        start = time.perf_counter()
        for _ in range(int(epochs)):
            loss = epoch(models[name], optimizers[name], x[: int(count)])
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "loss": loss}), flush=True)


if __name__ == "__main__":
    main()
