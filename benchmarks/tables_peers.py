"""Other synthesizers of tables.py; runs in an environment of their own.

    pip install ctgan==0.12.1 sdv==2.0.0 sdmetrics==0.32.0 pandas scikit-learn

"tvae" and "ctgan" are the package ctgan, "copula", "sdv-tvae" and "sdv-ctgan" the
package sdv, which puts a treatment of gaps, whole numbers and ranges around the
same two. All have their defaults. These packages are under the Business Source
License: they are measured here, and never a dependency.
"""

import numpy as np
import pandas as pd
import tables_process


class Independent:
    """Each column's values drawn anew, without regard to the others."""

    note = None

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def fit(self, rows, columns, target):
        self.rows = rows

    def sample(self, count):
        return pd.DataFrame(
            {
                name: self.random.choice(column.to_numpy(), count)
                for name, column in self.rows.items()
            }
        )


class Ctgan:
    """A synthesizer of the package ctgan, which takes no gaps in numbers.

    Rows with such gaps are left out: CTGAN's message asks for that, and TVAE,
    which lets them in, ends in an error when it samples.
    """

    note = None

    def __init__(self, seed, name, **options):
        import ctgan
        import torch

        torch.manual_seed(seed)
        np.random.seed(seed)
        self.model = getattr(ctgan, name)(**options)
        self.model.set_random_state(seed)

    def fit(self, rows, columns, target):
        numbers = [name for name in columns if columns[name] != "category"]
        texts = [name for name in columns if columns[name] == "category"]
        whole = rows.dropna(subset=numbers, ignore_index=True)
        if len(whole) < len(rows):
            share = 1 - len(whole) / len(rows)
            self.note = f"without the {share:.1%} of rows with gaps in numbers"
        self.model.fit(whole, texts)

    def sample(self, count):
        return self.model.sample(count)


class Sdv:
    """A synthesizer of the package sdv."""

    note = None

    def __init__(self, seed, name, **options):
        import sdv.metadata
        import sdv.single_table
        import torch

        torch.manual_seed(seed)
        np.random.seed(seed)
        self.metadata = sdv.metadata.Metadata
        self.make = getattr(sdv.single_table, name)
        self.options = options

    def fit(self, rows, columns, target):
        types = {
            name: {
                "sdtype": "categorical" if kind == "category" else "numerical"
            }
            for name, kind in columns.items()
        }
        metadata = self.metadata.load_from_dict(
            {"tables": {"rows": {"columns": types}}}
        )
        self.model = self.make(metadata, **self.options)
        self.model.fit({"rows": rows})

    def sample(self, count):
        return self.model.sample(num_rows=count)["rows"]


METHODS = {
    "independent": Independent,
    "copula": lambda seed: Sdv(seed, "GaussianCopulaSynthesizer"),
    "tvae": lambda seed, **options: Ctgan(seed, "TVAE", **options),
    "ctgan": lambda seed, **options: Ctgan(seed, "CTGAN", **options),
    "sdv-tvae": lambda seed, **options: Sdv(seed, "TVAESynthesizer", **options),
    "sdv-ctgan": lambda seed, **options: Sdv(
        seed, "CTGANSynthesizer", **options
    ),
}

if __name__ == "__main__":
    tables_process.serve(METHODS)
