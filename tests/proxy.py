"""A TCP proxy that does to connections what networks do. The standard library only."""

import socket
import struct
import threading
import time
from contextlib import suppress


class Proxy:
    """Passes connections on to a port of this machine, as well or badly as it is told to."""

    def __init__(self, target):
        self.target = target
        # Seconds that each piece is held back, on its way to and from.
        self.delay = 0
        self._passes = threading.Event()
        self._passes.set()
        self._refuses = False
        self._lock = threading.Lock()
        self._pairs = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            if self._refuses:
                abort(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                abort(near)
                continue
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                if self.delay:
                    time.sleep(self.delay)
                self._passes.wait()
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _taken(self):
        with self._lock:
            pairs, self._pairs = self._pairs, []
        return pairs

    def swallow(self):
        """Nothing gets through any more, and nobody is told: connections stay, and are made."""
        self._passes.clear()

    def cut(self):
        """Breaks all connections, and takes no others."""
        self._refuses = True
        self.break_all()

    def break_all(self):
        """Breaks the connections that there are."""
        for pair in self._taken():
            for end in pair:
                abort(end)

    def half_close(self):
        """Tells the near side of each connection that the far side says nothing more. What it sends
        still gets there."""
        for near, _ in self._taken():
            with suppress(OSError):
                near.shutdown(socket.SHUT_WR)

    def heal(self):
        """All goes well again. What was swallowed arrives, late."""
        self.delay = 0
        self._refuses = False
        self._passes.set()

    def close(self):
        self._server.close()
        self.heal()
        self.break_all()


def abort(end):
    """Ends a connection with a reset."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Whoever waits on it in another thread wakes up.
        end.shutdown(socket.SHUT_RDWR)
    end.close()
