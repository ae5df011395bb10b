"""How scarce the machine's memory is, as one figure from 0 (ample) to 1 (exhausted)."""

from __future__ import annotations

from pathlib import Path

from lambent.kernel import limits


class MemoryPressure:
    """Reads what Linux tells of its memory below `proc`. One reading takes some 50 us.

    It is the worse of two signs: how little memory is available, and how long processes have been waiting for memory
    during the last ten seconds (pressure stall information). https://docs.kernel.org/accounting/psi.html
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._meminfo = proc / "meminfo"
        self._stalls = proc / "pressure" / "memory"

    def __call__(self) -> float:
        """The pressure now; 0 where this machine does not tell."""
        return max(_scarcity(_told(self._meminfo)), _stalled(_told(self._stalls)))


def _told(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # another system than Linux, or a kernel that was started without this
        return ""


def _scarcity(meminfo: str) -> float:
    sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in meminfo.splitlines())}
    if "MemAvailable" not in sizes:
        return 0.0
    available = sizes["MemAvailable"] / max(1, sizes["MemTotal"])
    return _between((limits.MEMORY_AMPLE - available) / (limits.MEMORY_AMPLE - limits.MEMORY_SCARCE))


def _stalled(pressure: str) -> float:
    for line in pressure.splitlines():
        kind, _, figures = line.partition(" ")
        if kind == "some":
            percent = float(dict(figure.split("=") for figure in figures.split())["avg10"])
            return _between(percent / 100 / limits.MEMORY_STALLED)
    return 0.0


def _between(figure: float) -> float:
    return min(1.0, max(0.0, figure))
