"""What lets an unmodified command line reach the server under test. `mammoth` takes the name of a server
of its vendor and no URL, so the runs go through this HTTPS proxy, which is that server to the client."""

import datetime
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The only host that clients are let through to.
HOST = "app.mammoth.io"

# Connections end at the latest after so many seconds, whatever their other side does.
PATIENCE_SECONDS = 60


class Gateway:
    """A CONNECT proxy that answers for one host with a certificate of its own, and passes what comes
    to a port of this machine in clear."""

    def __init__(self, directory, target):
        self.certificate = directory / "gateway.pem"
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        key = directory / "gateway.key"
        certify(self.certificate, key)
        self._context.load_cert_chain(self.certificate, key)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def environment(self):
        """What tells a client to use this gateway, for that host alone."""
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self.port}", "SSL_CERT_FILE": str(self.certificate)}

    def close(self):
        self._server.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        with suppress(OSError), near:
            near.settimeout(PATIENCE_SECONDS)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = near.recv(4096)
                if not piece:
                    return
                head += piece
            if not head.startswith(f"CONNECT {HOST}:443 ".encode()):
                near.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with self._context.wrap_socket(near, server_side=True) as clear:
                with socket.create_connection(("127.0.0.1", self._target)) as far:
                    far.settimeout(PATIENCE_SECONDS)
                    threading.Thread(target=carry, args=(far, clear), daemon=True).start()
                    carry(clear, far)


def carry(source, sink):
    """Passes bytes on until the source ends."""
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


def certify(certificate, key):
    """Writes a new key and the certificate for it that signs itself."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.timezone.utc)
    alternatives = [x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key.chmod(0o600)
