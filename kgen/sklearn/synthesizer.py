"""Synthetic rows of a table, and rows without gaps, by a VAE."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from kgen import optimizers
from kgen.data import Table, pipeline
from kgen.models import create_model
from kgen.params import Constraint, Integer, Number, Options
from kgen.priors import fitting
from kgen.sklearn.base import (
    TRAINING,
    check_arguments,
    in_one_pass,
    in_words,
    new_seed,
    seeded,
)
from kgen.tables.numbers import NUMBERS

# Rows for each component of a mixture, at least.
_ROWS_OF_A_COMPONENT = 10

if TYPE_CHECKING:  # slow to import
    import pandas as pd


class TableSynthesizer(TransformerMixin, BaseEstimator):
    """Learns a table, draws rows like its own, and fills gaps in others.

    A VAE whose likelihood is a product over the columns (`kgen.losses.Columns`) is
    trained on the rows, and a mixture of Gaussians is fitted to their codes, from
    which it samples. Columns may hold numbers, categories, truth values and dates,
    and have gaps; what they are is inferred.

    Args:
        target: Name of a column whose classes the model is conditional on, or None:
            then it is a column like all others.
        kinds: Dictionary from names of columns to kinds, as in `Table.infer`.
        numbers: How numbers are encoded, as in `Table.infer`.
        latent_dim: Size of the codes.
        hidden_units: Widths of the encoder's hidden layers; the decoder has them in
            reverse.
        kl_weight: Weight of the KL term. With less than 1, codes keep more of a row,
            and are not distributed as N(0, I) any more; rows are sampled from the
            mixture that is fitted to them.
        prior: The density that is fitted to the codes, as in `VAE.fit_prior`; a
            mixture has one component for 10 rows at most. None to sample from
            N(0, I).
        learning_rate: That of Adam at the first step; it falls to 0 by a cosine.
        epochs: How often all rows are gone through; for few rows more often, until
            there have been `min_steps` steps.
        min_steps: The least number of steps.
        batch_size: Rows for each step.
        options: Dictionary of further arguments of `kgen.create_model`.
        random_state: Integer, `RandomState` or None.
        verbose: 1 shows a progress bar.

    Attributes:
        table_: The `kgen.data.Table` that was inferred.
        model_: The trained `kgen.VAE`.

    Example:

        synthesizer = TableSynthesizer(random_state=0).fit(rows)
        synthetic = synthesizer.sample(1000)
        filled = synthesizer.transform(rows)
    """

    # As scikit-learn demands, arguments are checked by `fit`.
    _constraints: ClassVar[dict[str, Constraint]] = {
        "numbers": Options(NUMBERS),
        "kl_weight": Number(),
        "learning_rate": Number(1e-8),
        "min_steps": Integer(0),
        **TRAINING,
    }

    def __init__(
        self,
        *,
        target: str | None = None,
        kinds: Mapping[str, str] | None = None,
        numbers: str = "quantiles",
        latent_dim: int = 16,
        hidden_units: tuple[int, ...] = (256, 256),
        kl_weight: float = 0.3,
        prior: str | None = "mixture:40",
        learning_rate: float = 2e-3,
        epochs: int = 100,
        min_steps: int = 5000,
        batch_size: int = 128,
        options: dict[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.target = target
        self.kinds = kinds
        self.numbers = numbers
        self.latent_dim = latent_dim
        self.hidden_units = hidden_units
        self.kl_weight = kl_weight
        self.prior = prior
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.options = options
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: "pd.DataFrame", y: Any = None) -> Self:
        """Learns a table, and returns the estimator.

        Args:
            X: DataFrame, or the path of a CSV or Parquet file. Rows without a value
                of the target are left out.
            y: Ignored.

        Raises:
            InvalidArgument: If the table or an argument can't be used.
        """
        owner = type(self).__name__
        check_arguments(self, "table")
        seed = new_seed(check_random_state(self.random_state))
        table = Table.infer(X, self.kinds, self.target, self.numbers, seed=seed)
        rows = table.read(X)
        if self.target is not None:
            rows = rows[rows[self.target].notna()]
        prior = self._prior_for(len(rows), owner)
        x = table.encode(rows, owner)
        labels = None if self.target is None else table.labels_of(rows, owner)
        with seeded(seed), in_words(owner, "Lower `learning_rate`."):
            model = create_model(
                "vae",
                table=table,
                latent_dim=self.latent_dim,
                hidden_units=self.hidden_units,
                kl_weight=self.kl_weight,
                seed=seed,
                **(self.options or {}),
            )
            self._train(model, x, labels, seed)
            if prior is not None:
                given = x if labels is None else [x, labels]
                model.fit_prior(given, prior, seed=seed)
        self.table_, self.model_ = table, model
        self.feature_names_in_ = np.array(list(rows.columns), "O")
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def _prior_for(self, count, owner):
        """The density to fit to the codes: of few rows, a smaller mixture."""
        if self.prior is None:
            return None
        fitting.named(self.prior, owner)
        prior = self.prior
        name, _, number = str(prior).partition(":")
        if name == "mixture":
            most = max(1, count // _ROWS_OF_A_COMPONENT)
            prior = f"mixture:{min(int(number or 10), most)}"
        fitting.check(prior, self.latent_dim, count, owner)
        return prior

    def _train(self, model, x, labels, seed):
        rows = pipeline.batches(
            x, labels, batch_size=self.batch_size, shuffle=True, seed=seed
        )
        steps = int(rows.cardinality())
        epochs = max(self.epochs, -(-self.min_steps // steps))
        rate = keras.optimizers.schedules.CosineDecay(
            self.learning_rate, steps * epochs
        )
        model.compile(optimizers.Adam(rate))
        in_one_pass(model, rows, epochs, self.verbose)

    def sample(
        self,
        n_samples: int = 1,
        conditions: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> "pd.DataFrame":
        """Draws rows.

        Args:
            n_samples: How many.
            conditions: As in `VAE.sample`.
            seed: Integer; None for one that `random_state` gives.

        Returns:
            DataFrame with the columns and types of the table.
        """
        check_is_fitted(self)
        if seed is None:
            seed = new_seed(check_random_state(self.random_state))
        return self.model_.sample(n_samples, conditions=conditions, seed=seed)

    def transform(self, X: "pd.DataFrame") -> "pd.DataFrame":
        """Fills the gaps of rows by their expectations, or likeliest categories.

        Args:
            X: DataFrame with the columns of the table.

        Returns:
            DataFrame; known values stay as they are.
        """
        check_is_fitted(self)
        return self.model_.impute(X, seed=0)

    def impute(
        self, X: "pd.DataFrame", draw: bool = False, seed: int = 0
    ) -> "pd.DataFrame":
        """Fills the gaps of rows; see `VAE.impute`."""
        check_is_fitted(self)
        return self.model_.impute(X, draw=draw, seed=seed)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the columns that `transform` returns: those of its input."""
        check_is_fitted(self)
        return self.feature_names_in_
