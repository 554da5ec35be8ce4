"""What is judged: runs, with their models and the examples that judge them."""

import dataclasses
import functools

from kgen.data import Source, open_source
from kgen.data.examples import AnyExamples
from kgen.errors import InvalidArgument
from kgen.models.base import GenerativeModel
from kgen.runs.data import data_name, held_out_split
from kgen.runs.directory import Run

_LISTED = 10  # names of classes in a message


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A run, its model, and the examples of `source` that judge it.

    `trained_on` is the source that it was trained on, and `train` are the examples of
    the training. Both are None if it is judged by another source, and its own can't be
    opened any more.
    """

    run: Run
    model: GenerativeModel
    trained_on: Source | None
    source: Source
    split: str
    train: AnyExamples | None

    @functools.cached_property
    def test(self) -> AnyExamples:
        """The examples that judge it."""
        return self.source.examples(self.split)

    @property
    def takes_labels(self) -> bool:
        """Whether labels of the data go into the model, or judge it."""
        return self.model.conditional or self.model.needs_labels

    @functools.cached_property
    def has_its_classes(self) -> bool:
        """Whether the classes are those of the training, as far as can be seen.

        Examples of a class may be missing.
        """
        before, now = self.trained_on, self.source
        if before is None or before is now:
            return True
        if before.class_names and now.class_names:
            return tuple(before.class_names) == tuple(now.class_names)
        if now.class_names:
            return set(before.classes) == set(now.classes)
        return set(before.classes) >= set(now.classes)

    @property
    def informative_train(self) -> AnyExamples | None:
        """The training examples; None where it is evaluated by just these."""
        if self.source is self.trained_on and self.split == "train":
            return None
        if self.train is not None and not self.has_its_classes:
            return self.train.without_labels()  # they mean other classes
        return self.train


def open_candidates(
    runs: list[Run], models: list[GenerativeModel], data: str | None
) -> list[Candidate]:
    """Opens what runs were trained on, and what judges them.

    Args:
        runs: The runs.
        models: Their models.
        data: A source to judge all runs by, or None for the own of each.

    Returns:
        A `Candidate` for each run.

    Raises:
        InvalidArgument: If data can't be used.
        OSError: If data can't be read.
    """
    open_once = functools.cache(open_source)  # for runs of the same data
    candidates = []
    for run, model in zip(runs, models):
        settings = run.settings
        is_own = data is None or data_name(data) == settings.data
        shape, background = settings.image_shape, settings.background
        details = (
            shape,
            settings.data_dir,
            False,
            background,
            getattr(model, "table", None),
        )
        try:
            trained_on = open_once(settings.data, *details)
            train = trained_on.examples("train")
        except (InvalidArgument, OSError):
            if is_own or model.conditional or model.needs_labels:
                raise
            trained_on = train = None
        source = trained_on
        if source is None or not is_own:
            source = open_once(data, *details)
        else:
            run.tell_changed_data(source)
        split = held_out_split(source, not is_own)
        candidates.append(
            Candidate(run, model, trained_on, source, split, train)
        )
    return candidates


def check_classes(candidates: list[Candidate]) -> None:
    """Raises if the data's classes are not those that a model was trained on.

    Args:
        candidates: What `open_candidates` returned.

    Raises:
        InvalidArgument: If the classes differ; the message lists them.
    """
    for candidate in candidates:
        if candidate.takes_labels and not candidate.has_its_classes:
            source, trained_on = candidate.source, candidate.trained_on
            raise InvalidArgument(
                f"--data: the classes of {source.name} ({_class_list(source)}) are "
                f"not those, in their order, that {candidate.run.path} was "
                f"trained on ({_class_list(trained_on)}). Pass data of the same "
                "classes."
            )


def _class_list(source):
    names = [str(name) for name in source.class_names or source.classes]
    return ", ".join(names[:_LISTED] + ["..."] * (len(names) > _LISTED))
