"""The contender pythae of speed.py, in an environment with Pythae and PyTorch.

    python speed_pythae.py FOLDER    answers lines such as {"do": "version"}

Pythae's `VAE` with networks of kgen's sizes, trained by its `BaseTrainer`. The
weights are kept from one training to the next, Adam's state is not.
"""

import importlib.metadata
import pathlib
import sys
import tempfile
import time

import numpy as np
import speed_cases
import speed_process
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from speed_torch_networks import networks_of


class Encoder(BaseEncoder):
    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        mean, log_var = self.layers(x).chunk(2, 1)
        return ModelOutput(embedding=mean, log_covariance=log_var)


class Decoder(BaseDecoder):
    """Pythae's cross-entropy is of probabilities, not of logits."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, z):
        return ModelOutput(reconstruction=torch.sigmoid(self.layers(z)))


class KeepLoss(TrainingCallback):
    def on_log(self, training_config, logs, **kwargs):
        self.loss = float(logs["train_epoch_loss"])


class Pythae:
    def __init__(self, case, images):
        self.case, self.images = case, images
        networks = networks_of(case)
        self.sizes = speed_cases.sizes(
            networks, lambda network: [p.shape for p in network.parameters()]
        )
        height, width, channels = case.shape
        config = VAEConfig(
            input_dim=(channels, height, width),
            latent_dim=speed_cases.LATENT,
            reconstruction_loss="bce",
        )
        self.model = VAE(
            config, Encoder(networks["encoder"]), Decoder(networks["decoder"])
        )

    def train(self, steps, epochs):
        """Returns seconds, and the losses of the last epoch by name."""
        x = torch.from_numpy(self.images[: steps * self.case.batch])
        x = x.permute(0, 3, 1, 2).float().div(255).contiguous()
        data, kept = BaseDataset(x, torch.zeros(len(x))), KeepLoss()
        with tempfile.TemporaryDirectory(prefix="kgen-speed-") as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                per_device_train_batch_size=self.case.batch,
                num_epochs=epochs,
                learning_rate=speed_cases.RATE,
                optimizer_params={"eps": speed_cases.EPSILON},
            )
            trainer = BaseTrainer(
                self.model, data, training_config=config, callbacks=[kept]
            )
            start = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - start
        return seconds, {"loss": kept.loss}


def build(case, variant, folder):
    case = speed_cases.CASES[case]
    images = np.load(pathlib.Path(folder, speed_cases.file_name(case.shape)))
    return Pythae(case, images)


if __name__ == "__main__":
    version = importlib.metadata.version("pythae")
    speed_process.serve(
        f"Pythae {version} with PyTorch {torch.__version__}",
        build,
        sys.argv[1],
    )
