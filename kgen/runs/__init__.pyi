"""What other packages use of this one, for type checkers and `lazy_loader`."""

from .archives import fingerprint as fingerprint
from .data import data_name as data_name
from .data import held_out_split as held_out_split
from .data import is_table as is_table
from .data import validation_split as validation_split
from .directory import Run as Run
from .directory import new_run as new_run
from .directory import save_model as save_model
from .drawings import draw as draw
from .settings import TrainSettings as TrainSettings
from .training import build as build
from .training import train as train
