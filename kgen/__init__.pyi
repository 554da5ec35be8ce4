"""The public names, for type checkers and for `lazy_loader`."""

from . import callbacks as callbacks
from . import data as data
from . import densities as densities
from . import errors as errors
from . import evaluation as evaluation
from . import export as export
from . import extractors as extractors
from . import hypermodels as hypermodels
from . import layers as layers
from . import losses as losses
from . import metrics as metrics
from . import models as models
from . import networks as networks
from . import optimizers as optimizers
from . import plots as plots
from . import priors as priors
from . import sklearn as sklearn
from . import studies as studies
from .models import GAN as GAN
from .models import VAE as VAE
from .models import VAEGAN as VAEGAN
from .models import Autoencoder as Autoencoder
from .models import BayesClassifier as BayesClassifier
from .models import DenoisingAutoencoder as DenoisingAutoencoder
from .models import VAEDensity as VAEDensity
from .models import create_model as create_model
from .models import load_model as load_model

__version__: str
