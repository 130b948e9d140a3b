"""Arrays that took long to compute, kept on disk by what they follow from, in one bounded file.

Trunk features are the dear part of a refinement and the same in every round: what the second round finds here it does
not compute again. A cache is never the only place of anything: a damaged one is thrown away.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

_TABLES = """
CREATE TABLE IF NOT EXISTS array (key TEXT PRIMARY KEY, used REAL NOT NULL, bytes INTEGER NOT NULL, data BLOB NOT NULL)
WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_use ON array (used);
"""
_AT_ONCE = 500  # keys in one question


class ArrayCache:
    """float32 vectors by name; any thread may ask, and several processes may share the file.

    Args:
        path: of the file; its folder is made.
        most_bytes: when it holds more, what was not used for longest goes.
    """

    def __init__(self, path: Path, most_bytes: int):
        self._path, self._most = path, most_bytes
        self._lock = threading.Lock()
        try:
            self._connection = self._connect()
        except sqlite3.Error:
            with suppress(OSError):
                path.unlink()
            self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=OFF")  # what a crash takes is computed again
        connection.executescript(_TABLES)
        return connection

    def __enter__(self) -> ArrayCache:
        """The cache itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def get(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Those that are there, as (F,) float32."""
        found: dict[str, np.ndarray] = {}
        with self._lock, suppress(sqlite3.Error):
            for start in range(0, len(keys), _AT_ONCE):
                some = keys[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                rows = self._connection.execute(f"SELECT key, data FROM array WHERE key IN ({marks})", some)
                found |= {key: np.frombuffer(data, np.float32).copy() for key, data in rows}
                self._connection.execute(f"UPDATE array SET used = ? WHERE key IN ({marks})", [time.time(), *some])
        return found

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep some; a full disk is no error."""
        now = time.time()
        rows = [(key, now, values.nbytes, values.astype(np.float32).tobytes()) for key, values in arrays.items()]
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO array VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")

    def trim(self) -> None:
        """Let what was not used for longest go, down to the bound."""
        with self._lock, suppress(sqlite3.Error):
            surplus = (self._connection.execute("SELECT sum(bytes) FROM array").fetchone()[0] or 0) - self._most
            while surplus > 0:
                oldest = self._connection.execute("SELECT key, bytes FROM array ORDER BY used LIMIT 200").fetchall()
                for key, size in oldest:
                    if surplus <= 0:
                        break
                    self._connection.execute("DELETE FROM array WHERE key = ?", [key])
                    surplus -= size

    def close(self) -> None:
        """Done with it; it is brought within its bound."""
        self.trim()
        self._connection.close()
