"""How much memory a process takes."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_memory_mb() -> float:
    """The most memory that this process had at any time."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            """PROCESS_MEMORY_COUNTERS of the Windows API."""

            _fields_ = [("cb", wintypes.DWORD), ("faults", wintypes.DWORD), ("peak", ctypes.c_size_t)] + [
                (f"rest{number}", ctypes.c_size_t) for number in range(7)
            ]

        counters = Counters(cb=ctypes.sizeof(Counters))
        kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  (exists on Windows alone)
        kernel.GetCurrentProcess.restype = wintypes.HANDLE
        kernel.K32GetProcessMemoryInfo(wintypes.HANDLE(kernel.GetCurrentProcess()), ctypes.byref(counters), counters.cb)
        return counters.peak / 1e6
    status = Path("/proc/self/status")
    if status.is_file():  # Linux; its getrusage counts in the memory of whoever started this process
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
        return float(lines["VmHWM"].split()[0]) * 1.024e-3
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
