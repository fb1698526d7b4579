"""A parent deals tasks of unlike size to four processes by a queue, and folds what they send back: python workers.py"""

import multiprocessing
import random

TASKS, WORKERS = 160, 4


def work(tasks, results) -> None:
    for number, size in iter(tasks.get, None):
        text = "".join(chr(97 + (number * k * k) % 26) for k in range(size))
        results.put((number, len({text[k : k + 4] for k in range(size)})))


def main() -> None:
    chance = random.Random(7)
    tasks, results = multiprocessing.Queue(8), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=work, args=(tasks, results)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for number in range(TASKS):
        tasks.put((number, 200 + int(chance.paretovariate(1.3) * 800) % 20_000))
    for _ in workers:
        tasks.put(None)
    print(sum(results.get()[1] for _ in range(TASKS)))
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
