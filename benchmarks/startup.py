"""`python -m benchmarks.startup`: seconds until a command has printed its help."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

COMMANDS = ("a2c_tf.train", "a2c_tf.evaluate", "a2c_tf.plot", "export", "serving")
ROUNDS = 5


def seconds(module: str) -> float:
    """Returns the seconds that `python -m module --help` takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", module, "--help"], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    taken: dict[str, list[float]] = {module: [] for module in COMMANDS}
    for _ in range(ROUNDS):
        for module, times in taken.items():
            times.append(seconds(module))
    for module, times in taken.items():
        print(f"python -m {module} --help".ljust(36), f"{statistics.median(times):.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
