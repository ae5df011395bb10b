"""How many events may run at once: as many as are let, which is found out by trying."""

from __future__ import annotations


class Window:
    """A window as TCP has one. Where the function or the machine takes no more, it closes to what runs; while all goes
    well, it opens by a quarter with each round. `most` is how wide it may be, and is at first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = most
        self._well = 0
        self.running = 0

    @property
    def open(self) -> bool:
        """Whether another one may run."""
        return self.running < self._limit

    def begin(self) -> None:
        """One runs."""
        self.running += 1

    def end(self) -> None:
        """It runs no more."""
        self.running -= 1

    def close(self) -> None:
        """One that has ended was not let; one at a time always may try."""
        self._limit = max(1, self.running)
        self._well = 0

    def widen(self) -> None:
        """One that has ended was let."""
        if self._limit == self._most:
            return
        self._well += 1
        if self._well >= self._limit:
            self._well = 0
            self._limit = min(self._most, self._limit + max(1, self._limit // 4))

    def reset(self) -> None:
        """Something has changed: begin anew."""
        self._limit = self._most
        self._well = 0
