"""A threaded web server and six clients of one page each time, with think time: python web.py"""

import multiprocessing
import random
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        lines = [f"<li>{i * i * int(self.path[1:]) % 8191}</li>" for i in range(400)]
        body = "\n".join(sorted(lines)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said):
        pass


def browse(port: int, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(30):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/{chance.randrange(1, 99)}").read()
        time.sleep(chance.expovariate(200))


def serve(server: ThreadingHTTPServer) -> None:
    server.serve_forever(0.05)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server_process = multiprocessing.Process(target=serve, args=(server,))
    server_process.start()
    clients = [multiprocessing.Process(target=browse, args=(server.server_port, seed)) for seed in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    server_process.terminate()
    server_process.join()
