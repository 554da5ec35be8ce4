"""The part --growth of speed.py: does a step take longer where there is more data?

report(cases, images_of, repeats=3, seconds=3)
"""

import speed_cases
from speed_kgen import Kgen
from speed_report import spread

FACTORS = (1, 4, 16)


def report(cases, images_of, repeats, seconds):
    """Returns a table of the time per step at 1, 4 and 16 times the examples.

    The number of steps is the same for all, so that the smaller sets are seen
    in more epochs, and pay more often for the beginning of one. What must not
    be is a step that takes longer where there are more examples.

    Args:
        cases: Names of cases.
        images_of: Function from a shape to pictures.
        repeats: How often each is measured, in turn; the table has medians.
        seconds: About how long each measurement takes.
    """
    lines = [f"{'case':15} {'examples':>9} {'ms/step':>9} {'(min to max)':>21}"]
    for name in cases:
        case = speed_cases.CASES[name]
        contender = Kgen(case, images_of(case.shape))
        contender.train(case.warm_up, 1)
        spent, _ = contender.train(case.warm_up, 1)
        most = len(contender.images) // case.batch // FACTORS[-1]
        step = spent / case.warm_up
        least = max(1, min(most, round(seconds / step / FACTORS[-1])))
        rounds = {factor: [] for factor in FACTORS}
        for repeat in range(repeats + 1):
            for factor, kept in rounds.items():
                epochs = FACTORS[-1] // factor
                spent, _ = contender.train(least * factor, epochs)
                if repeat:  # the first one warms up
                    kept.append(1000 * spent / (least * FACTORS[-1]))
        for factor, kept in rounds.items():
            middle, low, high = spread(kept)
            examples = least * factor * case.batch
            span = f"({low:.2f} to {high:.2f})"
            lines.append(f"{name:15} {examples:9,} {middle:9.2f} {span:>21}")
        contender.drop()
    return "\n".join(lines)
