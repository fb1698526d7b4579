"""Eight processes on one SQLite file, two that write and six that read: python database.py"""

import multiprocessing
import os
import random
import sqlite3
import tempfile
import time


def connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def write(path: str, seed: int) -> None:
    chance, connection = random.Random(seed), connect(path)
    for _ in range(60):
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(20):
            row = chance.randrange(2000), chance.random()
            connection.execute("INSERT INTO account VALUES (?, ?) ON CONFLICT(id) DO UPDATE SET held = held + 1", row)
        connection.execute("COMMIT")
        time.sleep(chance.expovariate(4000))


def read(path: str, seed: int) -> None:
    chance, connection = random.Random(seed), connect(path)
    for _ in range(250):
        low = chance.randrange(2000)
        connection.execute(
            "SELECT count(*), sum(held) FROM account WHERE id BETWEEN ? AND ?", (low, low + 1500)
        ).fetchone()
        time.sleep(chance.expovariate(4000))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "accounts.db")
        connect(path).execute("CREATE TABLE account (id INTEGER PRIMARY KEY, held REAL)")
        tasks = [(write, 1), (write, 2), *((read, seed) for seed in range(3, 9))]
        processes = [multiprocessing.Process(target=task, args=(path, seed)) for task, seed in tasks]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
