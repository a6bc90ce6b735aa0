"""Advantage actor-critic (A2C) in TensorFlow and Keras.

Where everything is, each layer above those that may import it:

    errors, types, spaces, prng      leaves: what crosses a boundary, and helpers without state
    running_statistics
    config/                          every setting, and how a config file is read
    distributions/                   action distributions
    returns, losses, optimizers      the mathematics: pure functions of tensors
    networks/                        Keras functional models, and how they are applied
    envs/                            environments: in the graph, on the host, and their registry
    runs/                            the folder of a run: checkpoints, metrics, curves
    unroll, learner                  acting, and the only place where weights change
    acceleration/                    fast paths, each behind the signature of a plain function
    agent, diagnostics               a network with the meaning of its outputs; a look at updates
    train_step                       unroll and update, several times in one compiled call
    evaluation/                      episodes played to score an agent, and videos of them
    training/                        the assembly of all parts, the training loop, one experiment
    train, evaluate, plot            the commands, `python -m a2c_tf.train` and so on, with cli

One A2C iteration is `unroll.py`, `learner.py`, `losses.py`, `returns.py` and
`networks/forward.py`. Beside this package stand `export` (a checkpoint as policy files) and
`serving` (the inference server, which imports neither).
"""

__version__ = "0.1.0"
