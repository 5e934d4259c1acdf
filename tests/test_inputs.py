"""Inputs that senders, receivers and owners really have, from public reports: what a standard says of
each decides (RFC 9110 and 9112, 7519, 7578, 3339, 7617, CloudEvents)."""

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import itertools
import json
import socket
import threading
import time
from urllib.parse import urlencode, urlsplit

import pytest

from harness import Server, wait_until

PUBLIC = "https://hooks.example.com:8443"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=B"
FAR = "9999-12-31T23:59:59Z"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), f"--public-url={PUBLIC}").start()
    yield server
    assert server.stop() == 0, "the server did not drain well"


def v1(server, method, path, body=None):
    return server.http(method, f"/v1{path}", body, {"x-ultracart-simple-key": server.simple_key})


class Source:
    """A source of its own, with its dataset."""

    def __init__(self, server, **settings):
        self.server = server
        body = {"name": f"source {next(numbers)}", "mode": "combine", **settings}
        answer = v1(server, "POST", "/sources", body)
        assert answer.status == 201, answer.body
        self.made = answer.json
        self.path = self.made["path"]

    def post(self, body, kind="application/json", query="", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = body if isinstance(body, bytes) else body.encode()
        return self.server.http("POST", self.path + query, body, {"Content-Type": kind, **headers}).status

    def proved_by(self, **verification):
        return v1(self.server, "PUT", f"/sources/{self.made['id']}/verification", verification)

    def cell(self):
        """The text of the newest row's cell, to the byte."""
        rows = v1(self.server, "GET", f"/datasets/{self.made['dataset']}/rows").body.decode()
        return rows.rsplit('"cell":', 1)[1].rsplit("}]", 1)[0] if '"cell":' in rows else None

    def csv(self, **parameters):
        """The lines of an export, without the columns that are ours."""
        query = urlencode({"format": "csv", **parameters})
        text = v1(self.server, "GET", f"/datasets/{self.made['dataset']}/export?{query}").body.decode()
        return [line.split(",", 2)[2] for line in text.split("\r\n")[:-1]]

    def columns(self):
        return v1(self.server, "GET", f"/datasets/{self.made['dataset']}/schema").json["columns"]

    def diagnosis(self):
        """What the doctor says of the newest request that was refused."""
        path = f"/sources/{self.made['id']}"
        kept = lambda: v1(self.server, "GET", f"{path}/rejections").json["rejections"]
        refused = wait_until(kept, what="a rejection")
        return v1(self.server, "POST", f"{path}/doctor", {"rejection": refused[0]["id"]}).json


@pytest.fixture
def source(server):
    return Source(server)


def signed(key, content, algorithm="sha256"):
    return hmac.new(key.encode(), content.encode() if isinstance(content, str) else content, algorithm)


def b64(data):
    return base64.b64encode(data).decode()


def part(disposition, content=b"1", more=b""):
    return b"--B\r\nContent-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n" + content + b"\r\n"


END = b"--B--\r\n"


# -- What is received ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", [b"", b"\n", b"\r\n", b"preamble\n", b"\xef\xbb\xbf"])
def test_no_field_is_lost_with_what_stands_before_a_form(source, lead):
    assert source.post(lead + part(b'name="a"') + part(b'name="b"', b"2") + END, MULTIPART) == 201
    assert source.cell() == '{"a":"1","b":"2"}'


@pytest.mark.parametrize("body", [
    b"x" + part(b'name="a"') + part(b'name="b"') + END,
    part(b'name="a"').replace(b"1\r\n", b"1\n") + part(b'name="b"') + END,
    part(b'name="a"') + END + part(b'name="b"') + END,
    part(b'name="a"; name="b"') + END,
    part(b'name="a"', more=b'Content-Disposition: form-data; name="b"\r\n') + END,
])
def test_a_form_that_can_be_read_in_two_ways_is_refused(source, body):
    assert source.post(body, MULTIPART) == 400
    assert source.cell() is None


OCTETS = b"Content-Type: application/octet-stream\r\n"


@pytest.mark.parametrize("body, start", [
    (part(b"name=\"f\"; filename*=UTF-8''a%20b.bin", b"\xff", OCTETS), '{"f":{"filename":"a b.bin"'),
    (part(b"name=\"f\"; filename*=UTF-8''a.txt", b"text"), '{"f":{"filename":"a.txt"'),
    (part(b'name="f"; filename="a\\"', b"text"), '{"f":{"filename":"a\\\\"'),
    (part(b'name="a\\"'), '{"a\\\\":"1"'),
    (b'--B\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\n1\r\n', '{"a":"1"'),
])
def test_heads_of_parts_are_read_as_senders_write_them(source, body, start):
    assert source.post(body + END, MULTIPART) == 201
    assert source.cell().startswith(start)


@pytest.mark.parametrize("kind, body, cell", [
    (FORM, b"id=7&b=2", '{"id":"7","b":"2"}'),
    ("application/json", b'{"id":7}', '{"id":7}'),
    ("text/plain", b"words", '"words"'),
])
def test_a_byte_order_mark_is_no_part_of_what_was_sent(source, kind, body, cell):
    assert source.post(b"\xef\xbb\xbf" + body, kind) == 201
    assert source.cell() == cell


@pytest.mark.parametrize("kind, body, status", [
    ("application/json; charset=ISO-8859-1", '{"a":"é"}'.encode("latin-1"), 415),
    ("application/json; charset=utf-16", '{"a":1}'.encode("utf-16-le"), 415),
    ("text/plain; charset=UTF-16LE", "ab".encode("utf-16-le"), 415),
    ("text/plain", "é".encode("latin-1"), 415),
    ("application/json", b'{"a":"\xe9"}', 400),
    ("application/json; charset=ISO-8859-1", '{"a":"é"}'.encode(), 201),
])
def test_only_utf_8_is_text(source, kind, body, status):
    assert source.post(body, kind) == status


def test_the_last_member_of_a_name_counts_in_all_that_reads(server, source):
    source.post('{"a":{"b":1},"a":2}')
    assert source.csv() == ["a", "2"]
    rows = lambda where: v1(server, "GET", f"/datasets/{source.made['dataset']}/rows?{urlencode({'where': where})}")
    for where, count in [("$.a eq 2", 1), ("$.a.b exists", 0)]:
        answer = rows(where)
        assert answer.status == 200, answer.body
        assert len(answer.json["rows"]) == count, where
    headers = {"x-ultracart-simple-key": server.simple_key, "Content-Type": "application/json"}
    for value, matched in [("x", False), ("y", True)]:
        body = f'{{"rule":{{"a":["{value}"]}},"event":{{"a":"x","a":"y"}}}}'
        assert server.http("POST", "/v1/rules/test", body, headers).json["matched"] is matched
    # What is kept stays as it came.
    assert source.cell() == '{"a":{"b":1},"a":2}'


def test_keys_that_are_not_the_same_have_columns_of_their_own(source):
    source.post('{"\\ud800":1,"\\ud801":2}')
    assert [column["name"] for column in source.columns()] == ["\\ud800", "\\ud801"]


@pytest.mark.parametrize("text", ["=1", "+1", "-x", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"])
def test_no_text_of_a_sender_is_a_formula(server, source, text):
    assert source.post(json.dumps({"v": text})) == 201
    path = f"/datasets/{source.made['dataset']}/export?format=csv&formulas=escape"
    export = v1(server, "GET", path).body.decode()
    # The field after the batch and the moment, in quotes where it needs them.
    value = export.split("\r\n", 1)[1].split(",", 2)[2].lstrip('"')
    assert value.startswith("'" + text), export


def test_any_sender_of_cloudevents_may_ask_for_consent(server, source):
    answer = server.http("OPTIONS", source.path, None, {"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert answer.status == 200
    assert answer.header("webhook-allowed-origin") == ["eventgrid.azure.net"]
    assert server.http("OPTIONS", source.path).status == 204


# -- What is proved -----------------------------------------------------------------------------------


def token(claims, key="k"):
    url = lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")
    content = url(b'{"alg":"HS256"}') + "." + url(claims.encode())
    return content + "." + url(signed(key, content).digest())


@pytest.mark.parametrize("claim, status", [
    ('"exp":1600000000', 401),
    ('"exp":16e8', 401),
    ('"exp":"soon"', 401),
    ('"exp":"4000000000"', 401),
    ('"exp":null', 401),
    ('"exp":[4000000000]', 401),
    ('"nbf":4e9', 401),
    ('"exp":4000000000', 201),
    ('"exp":4000000000.5,"nbf":1.6e9', 201),
])
def test_a_token_that_has_ended_never_counts(source, claim, status):
    scheme = {"algorithm": "jwt-hs256", "signature": {"from": "bearer"},
              "body_hash": {"from": "claim:h", "encoding": "hex"}}
    assert source.proved_by(scheme=scheme, secrets=["k"]).status == 200
    claims = '{"h":"%s",%s}' % (hashlib.sha256(b"{}").hexdigest(), claim)
    assert source.post("{}", Authorization="Bearer " + token(claims)) == status


WHSEC = b"0123456789abcdef01234567"


def standard_webhooks(source):
    second = str(int(time.time()))
    value = hmac.new(WHSEC, f"m.{second}.{{}}".encode(), "sha256").digest()
    return source.post("{}", webhook_id="m", webhook_timestamp=second, webhook_signature="v1," + b64(value))


def test_a_secret_counts_as_it_is_shown_by_its_sender(source):
    answer = source.proved_by(provider="standard-webhooks", secrets=["v1,whsec_" + b64(WHSEC)])
    assert answer.status == 200
    assert standard_webhooks(source) == 201


@pytest.mark.parametrize("provider, header, before", [
    ("gitlab", "x-gitlab-token", ""), ("bearer-token", "authorization", "Bearer ")])
def test_a_token_need_not_be_ascii(source, provider, header, before):
    assert source.proved_by(provider=provider, secrets=["tök"]).status == 200
    value = (before + "tök").encode().decode("latin-1")
    assert source.post("{}", **{header: value}) == 201


@pytest.mark.parametrize("provider, secret", [
    ("gitlab", " lead"), ("gitlab", "trail\n"), ("bearer-token", "a\tb"), ("postmark", "no colon"),
    ("discord", "AAAA")])
def test_a_secret_that_nobody_can_show_is_refused(source, provider, secret):
    answer = source.proved_by(provider=provider, secrets=[secret])
    assert (answer.status, answer.json["field"].split(".")[-1]) == (400, "secrets"), answer.body


def test_a_sources_own_secret_can_be_shown(server):
    source = Source(server, secret="ключ")
    assert source.post("1", x_webhook_secret="ключ".encode().decode("latin-1")) == 201
    body = {"name": "q", "mode": "combine", "secret": " lead"}
    assert v1(server, "POST", "/sources", body).status == 400


def test_the_doctor_sees_white_space_around_a_secret(source):
    source.proved_by(provider="github", secrets=["s3cret\n"])
    assert source.post("{}", x_hub_signature_256="sha256=" + signed("s3cret", "{}").hexdigest()) == 401
    found = source.diagnosis()
    assert (found["cause"], found["certain"]) == ("secret_encoding", True)
    assert "white space" in found["explanation"]


def twilio(source, url, query=""):
    value = b64(signed("tok", url + "A1", "sha1").digest())
    return source.post("A=1", FORM, query, x_twilio_signature=value)


def test_a_url_is_tried_with_its_port_and_without(source):
    source.proved_by(provider="twilio", secrets=["tok"])
    for base in [PUBLIC, PUBLIC.replace(":8443", "")]:
        assert twilio(source, base + source.path) == 201
    assert twilio(source, PUBLIC.replace("8443", "1") + source.path) == 401


def test_the_doctor_knows_a_url_whose_escapes_were_undone(source):
    source.proved_by(provider="twilio", secrets=["tok"])
    assert twilio(source, PUBLIC + source.path + "?C=sip:1@h", "?C=sip%3A1%40h") == 401
    assert source.diagnosis()["cause"] == "wrong_url"


@pytest.mark.parametrize("multipart", [False, True])
def test_a_field_of_a_form_can_carry_the_signature(source, multipart):
    assert source.proved_by(provider="mailgun", secrets=["mg"]).status == 200
    second = str(int(time.time()))
    fields = {"timestamp": second, "token": "x", "signature": signed("mg", second + "x").hexdigest()}
    if multipart:
        parts = [part(f'name="{name}"'.encode(), value.encode()) for name, value in fields.items()]
        send = lambda: source.post(b"".join(parts) + END, MULTIPART)
    else:
        send = lambda: source.post(urlencode(fields), FORM)
    # The token counts once, whatever comes with it.
    assert [send(), send()] == [201, 201]
    rows = v1(source.server, "GET", f"/datasets/{source.made['dataset']}/rows").json["rows"]
    assert len(rows) == 1


def test_a_scheme_of_ones_own_can_name_a_field(source):
    scheme = {"algorithm": "hmac-sha256", "signature": {"from": "form:signature"},
              "signed": "{form:timestamp}{form:token}"}
    assert source.proved_by(scheme=scheme, secrets=["mg"]).status == 200
    fields = {"timestamp": "1", "token": "x", "signature": signed("mg", "1x").hexdigest()}
    assert source.post(urlencode(fields), FORM) == 201
    assert source.post(urlencode({**fields, "token": "y"}), FORM) == 401


# -- What is published --------------------------------------------------------------------------------


def publish(server, members, kind="application/cloudevents+json", lead=b""):
    start = '{"specversion":"1.0","id":"%s","source":"/s","type":"order_create"' % next(numbers)
    headers = {"x-ultracart-simple-key": server.simple_key, "Content-Type": kind}
    return server.http("POST", "/v1/events", lead + (start + members + "}").encode(), headers)


@pytest.mark.parametrize("text, status", [
    (FAR, 202),
    ("2026-11-21T10:00:00.1234567891Z", 202),
    ("2026-11-21t10:00:00z", 202),
    ("1990-12-31T23:59:60Z", 202),
    ("20261121T100000Z", 400),
    ("2026-11-21T10:00:00Z[Europe/Paris]", 400),
    ("2026-11-21T10:00:00+01:00:30", 400),
    ("2026-11-21 10:00:00Z", 400),
    ("2026-02-30T10:00:00Z", 400),
])
def test_the_time_of_an_event_is_of_rfc_3339(server, text, status):
    assert publish(server, ',"data":{},"time":"%s"' % text).status == status


def test_moments_are_of_rfc_3339_everywhere(server, source):
    path = f"/datasets/{source.made['dataset']}/rows"
    assert v1(server, "GET", f"{path}?until={FAR}").status == 200
    assert v1(server, "GET", f"{path}?until=20261121T100000Z").status == 400
    for text, status in [(FAR, 201), ("2026-11-21T10:00:00Z[UTC]", 400)]:
        body = {"kind": "simple", "scopes": ["data_read"], "expires_at": text}
        assert v1(server, "POST", "/credentials", body).status == status, text
    for text in ["2026-01-31T10:00:00Z", FAR]:
        source.post(json.dumps({"k": text}))
    assert source.columns()[0]["type"] == "timestamp"


def test_an_event_has_its_data_once(server):
    attributes = {"specversion": "1.0", "id": f"data {next(numbers)}", "source": "/s", "type": "order_create"}
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    headers |= {"x-ultracart-simple-key": server.simple_key, "Content-Type": "application/json"}
    assert server.http("POST", "/v1/events", b"{}", {**headers, "ce-data": "x"}).status == 400
    assert server.http("POST", "/v1/events", b"{}", headers).status == 202
    assert v1(server, "GET", "/events?limit=1").body.count(b'"data":') == 1
    for members in [',"data":{"a":1},"data":{"a":2}', ',"data":{},"data_base64":"e30="',
                    ',"data_base64":"e30=","data_base64":"e30="']:
        assert publish(server, members).status == 400, members
    assert publish(server, ',"data":{}', lead=b"\xef\xbb\xbf").status == 202


# -- What receivers answer ----------------------------------------------------------------------------


@contextlib.contextmanager
def receiver(answer):
    """Takes requests and answers each with these bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    heads = []

    def one(connection):
        with contextlib.suppress(OSError), connection:
            read = b""
            while b"\r\n\r\n" not in read:
                more = connection.recv(65536)
                if not more:
                    return
                read += more
            head, body = read.split(b"\r\n\r\n", 1)
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            while len(body) < int(length[0].split(b":")[1]):
                body += connection.recv(65536)
            heads.append(head.decode())
            connection.sendall(answer)

    def run():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/h", heads
    finally:
        listener.close()


def deliver(server, answer, until=lambda endpoint: True, **settings):
    """Delivers an event to a receiver that answers so: the first attempt, the endpoint after it once
    the endpoint is as said, and the heads of the requests."""
    with receiver(answer) as (url, heads):
        body = {"url": url, "subscriptions": [{"event_type": "order_create"}], **settings}
        made = v1(server, "POST", "/endpoints", body)
        assert made.status == 201, made.body
        path = f"/endpoints/{made.json['id']}"
        assert publish(server, ',"data":{"a":1}').status == 202
        tried = lambda: v1(server, "GET", f"{path}/attempts").json["attempts"]
        attempt = wait_until(tried, what="an attempt")[-1]
        now = lambda: v1(server, "GET", path).json
        endpoint = wait_until(lambda: next(filter(until, [now()]), None), what="the endpoint")
        assert v1(server, "DELETE", path).status == 204
        return attempt, endpoint, heads


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n",
    b"HTTP/1.1 200 OK\r\nX-A: a\r\n  b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\x01c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"Content-Length: 0\r\n\r\n",
])
def test_a_status_that_came_counts(server, answer):
    attempt, _, heads = deliver(server, answer)
    assert (attempt["success"], attempt["status"], len(heads)) == (True, 200, 1)


def test_gone_is_gone_even_when_the_answer_breaks_off(server):
    gone = b"HTTP/1.1 410 Gone\r\nContent-Length: 10\r\n\r\nx"
    # The endpoint is disabled right after its attempt is recorded.
    attempt, endpoint, _ = deliver(server, gone, until=lambda endpoint: endpoint["disabled"])
    assert (attempt["status"], endpoint["disabled"]) == (410, True)
    assert "broke off" in attempt["error"]


@pytest.mark.parametrize("form", [
    "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_retry_after_has_three_forms_of_dates(server, form):
    at = time.strftime(form, time.gmtime(time.time() + 600))
    answer = f"HTTP/1.1 503 X\r\nRetry-After: {at}\r\nContent-Length: 0\r\n\r\n"
    attempt, _, _ = deliver(server, answer.encode())
    due = datetime.datetime.fromisoformat(attempt["retry_at"].replace("Z", "+00:00"))
    assert due.timestamp() - time.time() > 500


@pytest.mark.parametrize("user, password", [("sk_live", ""), ("", "p"), ("", "")])
def test_basic_authentication_is_sent_as_it_was_given(server, user, password):
    auth = {"kind": "basic", "username": user, "password": password}
    _, _, heads = deliver(server, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", auth=auth)
    value = [line for line in heads[0].split("\r\n") if line.lower().startswith("authorization:")][0]
    assert base64.b64decode(value.split()[-1]).decode() == f"{user}:{password}"


# -- HTTP itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_names_one_host(server, source, hosts):
    at = urlsplit(server.url)
    with socket.create_connection((at.hostname, at.port), timeout=10) as connection:
        connection.sendall(b"POST %s HTTP/1.1\r\n%sContent-Length: 1\r\nConnection: close\r\n\r\n1"
                           % (source.path.encode(), hosts))
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 400
    assert source.cell() is None
