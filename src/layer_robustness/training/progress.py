"""A progress bar on a terminal, plain lines in a log."""

import sys
import threading

from tqdm import tqdm

# By default tqdm takes a lock that forked processes share: if one is killed while it holds
# the lock, the others wait forever. Here no two processes write to one bar.
tqdm.set_lock(threading.RLock())


class Progress:
    """Reports each epoch as it ends."""

    def __init__(self, name: str, done: int, epochs: int):
        self.name, self.epochs = name, epochs
        self.bar = tqdm(
            desc=name,
            initial=done,
            total=epochs,
            unit="epoch",
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def epoch(self, epoch: int, loss: float, test_error: float) -> None:
        """Report one epoch."""
        told = f"loss {loss:.4f} test error {test_error:.4f}"
        if self.bar.disable:
            print(f"{self.name} epoch {epoch}/{self.epochs} {told}", file=sys.stderr, flush=True)
        self.bar.set_postfix_str(told)
        self.bar.update()
