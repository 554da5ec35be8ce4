"""kgen's synthesizer of tables.py."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tables_process


class Kgen:
    """`kgen.sklearn.TableSynthesizer`, with its defaults."""

    note = None

    def __init__(self, seed, **options):
        import kgen

        self.seed = seed
        self.model = kgen.sklearn.TableSynthesizer(random_state=seed, **options)

    def fit(self, rows, columns, target):
        self.model.fit(rows)

    def sample(self, count):
        return self.model.sample(count, seed=self.seed)


if __name__ == "__main__":
    tables_process.serve({"kgen": Kgen})
