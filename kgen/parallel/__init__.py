"""Several devices or workers: the only room that knows how many there are.

`strategies` makes a `tf.distribute.Strategy`; `meeting` waits until all workers
are there; `replicas` makes a step compute on each device's part of a batch what
one device would compute on the whole of it.
"""
