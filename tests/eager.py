"""Trainings of a few steps, which are shorter than a trace."""

from kgen.models.training import Trained


def train_eagerly(monkeypatch):
    """Makes all models that are compiled from now on train in eager steps."""
    compile_ = Trained._compile

    def eager(self, arguments, optimizer, variables=None, **execution):
        execution["run_eagerly"] = True
        compile_(self, arguments, optimizer, variables, **execution)

    monkeypatch.setattr(Trained, "_compile", eager)
