"""The GAN of 2014 on the ring of `mixtures.py`, beside kgen's defaults.

    python benchmarks/ring.py

The minimax loss, without a penalty and without an average of weights, but with the
same networks, optimizers and points, by `--seeds` trainings. `mixtures.py` has the
figures of the defaults; here they are trained once, for the picture. Writes
result.json and samples.png to `--out`.
"""

import numpy as np
from mixtures import PROBLEMS, SAMPLES, judge_perfect, parser_of, train, write

GAN_OF_2014 = {"loss": "minimax", "penalty": None, "ema_decay": None}


def main():
    arguments = parser_of(__doc__, "ring").parse_args()
    ring = PROBLEMS["ring"]
    results = {"perfect sampler": judge_perfect(ring), "minimax, 2014": []}
    points, results["defaults, seed 0"] = train(ring, arguments, 0)
    frames = {
        "data": ring.draw(SAMPLES, np.random.default_rng(0)),
        "defaults": points,
    }
    for seed in range(arguments.seeds):
        points, figures = train(ring, arguments, seed, **GAN_OF_2014)
        results["minimax, 2014"].append(figures)
        frames.setdefault("minimax, 2014", points)
        print("minimax, 2014", seed, figures, flush=True)
    write(arguments, results, frames)


if __name__ == "__main__":
    main()
