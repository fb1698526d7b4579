"""python -m benchmarks.peers."""

from sos_gym import install

if __name__ == "__main__":
    install()
