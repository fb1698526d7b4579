"""python -m benchmarks.peers."""

from . import install

if __name__ == "__main__":
    install()
