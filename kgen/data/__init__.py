"""Sources of pictures and vectors as `tf.data.Dataset`s."""

from kgen.data.pipeline import set_epoch
from kgen.data.sources import Source, load, open_source
from kgen.tables import Table

__all__ = ["Source", "Table", "load", "open_source", "set_epoch"]
