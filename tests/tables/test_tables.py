"""Datasets as tables, through the real binary: columns, exports and SQL. Needs a binary with the feature
`analytics`."""

import csv
import io
import json
import math
import os
import socket
import threading
import time
from decimal import Decimal
from urllib.parse import urlsplit

import pyarrow.parquet
import pytest

from harness import STORE, Server, command, wait_until

ORDERS = [
    {"id": 1, "status": "paid", "total": 19.99, "customer": {"email": "a@example.com"},
     "at": "2026-01-01T10:00:00+02:00", "lines": [{"sku": "X", "n": 2}]},
    {"id": 2, "status": "open", "total": 5, "note": "=1+1, \"quoted\"\nline"},
    {"id": 9007199254740993, "status": None, "total": 100.01, "day": "2026-02-01"},
]


class Workspace:
    """A server whose sources fill datasets, and what a caller asks of it."""

    def __init__(self, server):
        self.server = server
        self.key = {"x-ultracart-simple-key": server.simple_key}

    def get(self, path, key=None):
        return self.server.http("GET", path, headers=key or self.key)

    def dataset(self, name, cells=()):
        made = self.server.http("POST", "/v1/sources", {"name": name, "mode": "combine"}, self.key)
        assert made.status == 201, made.body
        for cell in cells:
            self.send(made.json, cell)
        return made.json

    def send(self, source, cell):
        body = cell if isinstance(cell, str) else json.dumps(cell)
        answer = self.server.http("POST", source["path"], body, {"Content-Type": "application/json"})
        assert answer.status == 201, answer.body

    def export(self, source, query):
        answer = self.get(f"/v1/datasets/{source['dataset']}/export?{query}")
        assert answer.status == 200, answer.body
        return answer

    def sql(self, text, accept=None, key=None, **members):
        headers = {**(key or self.key), **({"Accept": accept} if accept else {})}
        return self.server.http("POST", "/v1/sql", {"query": text, **members}, headers)

    def rows(self, text, **members):
        answer = self.sql(text, **members)
        assert answer.status == 200, answer.body
        return answer.json["rows"]


@pytest.fixture(scope="module")
def place(server):
    return Workspace(server)


@pytest.fixture(scope="module")
def orders(place):
    return place.dataset("Orders", ORDERS)


def test_the_schema_says_types_and_drift(place):
    source = place.dataset("Drift", [{"n": 1}, {"n": 2.5, "late": True}, {"n": None}, {"n": "x"}])
    schema = place.get(f"/v1/datasets/{source['dataset']}/schema").json
    assert (schema["name"], schema["rows"], schema["rest_rows"]) == ("Drift", 4, 0)
    n, late = schema["columns"]
    assert (n["name"], n["type"], n["rows"], n["nulls"], n["absent"]) == ("n", "string", 3, 1, 0)
    changes = [(change["from"], change["to"]) for change in n["changes"]]
    assert changes == [("integer", "number"), ("number", "string")]
    assert n["changes"][1]["batch"] == schema["last"]["batch"]
    assert (late["type"], late["rows"], late["absent"]) == ("boolean", 1, 3)
    assert late["first"] == late["last"] != schema["first"]
    place.send(source, {"n": [1]})
    again = place.get(f"/v1/datasets/{source['dataset']}/schema").json
    assert (again["rows"], again["columns"][0]["type"]) == (5, "json")


def test_csv_is_read_by_a_csv_reader(place, orders):
    answer = place.export(orders, "format=csv")
    assert answer.header("content-type") == ["text/csv; charset=utf-8; header=present"]
    assert "filename*=UTF-8''Orders.csv" in answer.header("content-disposition")[0]
    rows = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert list(rows[0]) == ["_batch", "_received_at", "id", "status", "total", "customer.email", "at",
                             "lines", "note", "day"]
    assert [row["total"] for row in rows] == ["19.99", "5", "100.01"]
    assert rows[2]["id"] == "9007199254740993" and rows[2]["status"] == ""
    assert rows[1]["note"] == ORDERS[1]["note"]
    assert json.loads(rows[0]["lines"]) == ORDERS[0]["lines"]
    escaped = place.export(orders, "format=csv&formulas=escape").body.decode()
    assert list(csv.DictReader(io.StringIO(escaped, newline="")))[1]["note"] == "'" + ORDERS[1]["note"]


def test_ndjson_has_the_cells_as_they_came(place):
    cells = ['{"b": 1.0,  "a":12345678901234567890123}', '{"x":"\\u00e9"}', "[1,\n 2]", '"text"']
    source = place.dataset("Cells", cells)
    answer = place.export(source, "format=ndjson")
    assert answer.header("content-type") == ["application/x-ndjson"]
    assert answer.body.decode() == "".join(cell.replace("\n", " ") + "\n" for cell in cells)
    flat = [json.loads(line) for line in place.export(source, "format=ndjson&flatten=true").body.splitlines()]
    assert flat[1]["x"] == "é" and flat[2]["_value"] == [1, 2] and flat[0]["b"] == 1.0
    assert {"_batch", "_received_at"} <= set(flat[0])


def test_parquet_is_read_by_pyarrow(place, orders):
    answer = place.export(orders, "format=parquet")
    assert answer.header("content-type") == ["application/vnd.apache.parquet"]
    table = pyarrow.parquet.read_table(io.BytesIO(answer.body))
    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["id"] == kinds["_batch"] == "int64" and kinds["total"] == "double"
    assert kinds["at"] == kinds["_received_at"] == "timestamp[us, tz=UTC]"
    assert kinds["day"] == "date32[day]" and kinds["note"] == "string"
    rows = table.to_pylist()
    assert rows[2]["id"] == 9007199254740993 and rows[2]["status"] is None
    assert rows[0]["at"].isoformat() == "2026-01-01T08:00:00+00:00"
    assert rows[2]["day"].isoformat() == "2026-02-01" and rows[1]["note"] == ORDERS[1]["note"]
    whole = place.export(orders, "format=parquet&flatten=false")
    cells = pyarrow.parquet.read_table(io.BytesIO(whole.body)).column("_cell").to_pylist()
    assert [json.loads(cell) for cell in cells] == ORDERS


ODD = [
    {'quote"': 1, "back\\slash": 2, "a.b": 3, "": 4, "new\nline": 5, "comma, ": 6, "'": 7, "é🦀": 8, "_batch": 9,
     "=cmd()": 10, "A": 11, "a": 12, "\x01": 13, "select": 14},
    '{"d":1,"d":"two","d":[3]}',
    '{"big":123456789012345678901234567890,"huge":1e400,"tiny":1e-400,"zero":-0,"max":9223372036854775807,'
    '"over":9223372036854775808,"exact":0.1234567890123456789}',
    '{"u":"\\ud83d\\ude00 \\u0000 \\u2028"}',
    '{"deep":' * 60 + "[]" + "}" * 60,
]


def test_odd_names_and_values_survive_each_form(place):
    source = place.dataset("Odd", ODD)
    schema = place.get(f"/v1/datasets/{source['dataset']}/schema").json
    names = [column["name"] for column in schema["columns"]]
    kinds = {column["name"]: column["type"] for column in schema["columns"]}
    assert {'quote"', "back\\\\slash", "a\\.b", "\\e", "new\nline", "\\_batch", "A", "a", "=cmd()"} <= set(names)
    assert (kinds["big"], kinds["huge"], kinds["max"], kinds["over"]) == ("decimal", "decimal", "integer", "decimal")
    rows = list(csv.DictReader(io.StringIO(place.export(source, "format=csv").body.decode(), newline="")))
    assert list(rows[0]) == ["_batch", "_received_at", *names]
    table = pyarrow.parquet.read_table(io.BytesIO(place.export(source, "format=parquet").body)).to_pylist()
    assert list(table[0]) == list(rows[0])
    values = {"big": "123456789012345678901234567890", "huge": "1e400", "tiny": "1e-400", "max": 2**63 - 1,
              "over": "9223372036854775808", "exact": "0.1234567890123456789"}
    for name, value in values.items():
        assert rows[2][name] == str(value) and table[2][name] == value, name
    assert math.copysign(1, table[2]["zero"]) == -1 and table[1]["d"] == rows[1]["d"] == "[3]"
    assert rows[3]["u"] == table[3]["u"] == "😀 \0 \u2028"
    for name in names:
        quoted = name.replace('"', '""')
        asked = place.rows(f'SELECT "{quoted}" FROM dataset_{source["dataset"]} ORDER BY _batch')
        if kinds[name] != "number":
            assert [row[name] for row in table] == [value for [value] in asked], name
    lines = place.export(source, "format=ndjson").body.decode().splitlines()
    assert len(place.export(source, "format=ndjson").body.split(b"\n")) == len(ODD) + 1 and lines[1] == ODD[1]


def test_ten_thousand_keys_are_five_hundred_columns_and_a_rest(place):
    source = place.dataset("Wide", [{f"k{n}": n for n in range(10_000)}, {"k9999": "x"}])
    schema = place.get(f"/v1/datasets/{source['dataset']}/schema").json
    assert (len(schema["columns"]), schema["rest_rows"]) == (500, 2)
    [rest] = place.rows(f'SELECT _rest FROM dataset_{source["dataset"]} WHERE k0 = 0')
    assert len(json.loads(rest[0])) == 9_500
    table = pyarrow.parquet.read_table(io.BytesIO(place.export(source, "format=parquet").body)).to_pylist()
    assert table[0]["k499"] == 499 and json.loads(table[1]["_rest"]) == {"k9999": "x"}


def test_times_cut_an_export(place, orders):
    rows = [json.loads(line) for line in place.export(orders, "format=ndjson&flatten=true").body.splitlines()]
    last = rows[-1]["_received_at"]
    later = place.export(orders, f"format=ndjson&from={last}").body
    before = place.export(orders, f"format=ndjson&until={last}").body
    assert later + before and later.count(b"\n") + before.count(b"\n") == len(ORDERS)
    for wrong in ("", "format=xml", "format=csv&from=yesterday", "format=csv&limit=1"):
        assert place.get(f"/v1/datasets/{orders['dataset']}/export?{wrong}").status == 400, wrong


def resident(server):
    """The most memory that a server ever had, in bytes."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) * 1024


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A server with 120 rows of 600 kB, and little memory for queries."""
    directory = tmp_path_factory.mktemp("large")
    server = Server(directory, "--log-level", "warn", "--sql-memory-bytes", "16MiB").start()
    place = Workspace(server)
    source = place.dataset("Large")
    filler = os.urandom(300_000).hex()
    for n in range(120):
        place.send(source, {"n": n, "k": 0, "filler": filler})
    yield place, source
    assert server.stop() == 0


def test_a_large_dataset_is_exported_in_little_memory(large):
    place, source = large
    place.export(source, "format=csv&until=2000-01-01T00:00:00Z")
    before = resident(place.server)
    for form in ("csv", "ndjson", "parquet"):
        body = place.export(source, f"format={form}").body
        assert form == "parquet" or len(body) > 72_000_000
    # 72 MB of cells, three times.
    assert resident(place.server) - before < 120_000_000, (before, resident(place.server))


def test_slow_readers_hold_no_memory_and_leave_their_places(large):
    place, source = large
    at = urlsplit(place.server.url)
    path = f"/v1/datasets/{source['dataset']}/export?format=csv"
    head = "".join(f"{name}: {value}\r\n" for name, value in place.key.items())
    before, slow = resident(place.server), []
    # As many as one workspace may have.
    for _ in range(4):
        slow.append(socket.create_connection((at.hostname, at.port)))
        slow[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        assert slow[-1].recv(1000).startswith(b"HTTP/1.1 200")
    refused = place.get(path)
    assert (refused.status, refused.json["code"]) == (503, "unavailable")
    # 4 times 72 MB wait to be read.
    assert resident(place.server) - before < 60_000_000, (before, resident(place.server))
    for connection in slow:
        connection.close()
    wait_until(lambda: place.get(path).status == 200, what="the place of a reader that went away")


def test_queries_of_long_rows_take_little_memory(large):
    place, source = large
    one = "(SELECT * FROM \"Large\" WHERE n = 0)"
    place.rows('SELECT count(*) FROM "Large"')
    before = resident(place.server)
    assert place.rows("SELECT count(*) FROM \"Large\" WHERE filler <> '' AND filler LIKE '%a%'") == [[120]]
    [[longest]] = place.rows(f'SELECT max(length(upper(a.filler))) FROM {one} a JOIN "Large" b ON a.k = b.k')
    assert longest == 600_000
    ordered = place.rows(f'SELECT b.n, length(a.filler) FROM {one} a JOIN "Large" b ON a.k = b.k '
                         'ORDER BY a.filler, b.n DESC LIMIT 2')
    assert ordered == [[119, 600_000], [118, 600_000]]
    many = ", ".join(f"upper(substr(filler, {n}))" for n in range(1, 100))
    assert place.sql(f'SELECT {many} FROM "Large"').status == 422
    # 72 MB of cells, or of one of them 120 times.
    assert resident(place.server) - before < 60_000_000, (before, resident(place.server))


def test_sql_answers_with_types(place, orders):
    rows = place.rows('SELECT status, count(*), sum(total) FROM "Orders" GROUP BY status ORDER BY 1')
    assert rows[0] == ["open", 1, 5.0] and rows[1] == ["paid", 1, 19.99]
    assert math.isclose(rows[2][2], 100.01) and rows[2][0] is None
    assert place.rows('SELECT "customer.email" FROM "Orders" WHERE id = $1', parameters=[1]) == [
        ["a@example.com"]]
    at = place.sql(f"SELECT at, day, id FROM dataset_{orders['dataset']} ORDER BY id").json
    assert [column["type"] for column in at["columns"]] == ["timestamp", "date", "integer"]
    assert at["rows"][0] == ["2026-01-01T08:00:00Z", None, 1]
    assert at["rows"][2] == [None, "2026-02-01", 9007199254740993]
    cells = place.rows('SELECT _cell FROM "Orders" WHERE _received_at > \'2020-01-01T00:00:00Z\'')
    assert [json.loads(cell) for [cell] in cells] == ORDERS


def test_sql_has_forms_and_a_limit(place, orders):
    text = 'SELECT id, note FROM "Orders" ORDER BY id'
    answer = place.sql(text, accept="text/csv")
    assert answer.header("content-type") == ["text/csv; charset=utf-8; header=present"]
    rows = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert rows[0] == ["id", "note"] and rows[2] == ["2", ORDERS[1]["note"]]
    lines = place.sql(text, accept="application/x-ndjson", limit=1)
    assert lines.body == b'{"id":1,"note":null}\n' and lines.header("hookyard-truncated") == ["true"]
    assert place.sql(text).header("hookyard-truncated") == ["false"]
    assert place.sql(text, limit=10_001).json["field"] == "limit"
    assert place.sql("SELECT $1", parameters=[[1]]).json["field"] == "parameters[0]"


REFUSED = [
    "SELECT * FROM '/etc/passwd'", 'SELECT * FROM "/etc/passwd"', "SELECT * FROM 'file:///etc/passwd'",
    "SELECT * FROM 'https://example.com/x.csv'", "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM generate_series(1, 9999999999)", "SELECT * FROM sqlite_master",
    "SELECT * FROM rows", "SELECT * FROM credentials", "SELECT version()",
    "COPY (SELECT 1) TO '{tmp}'", "COPY \"Orders\" TO '{tmp}'", "EXPLAIN COPY (SELECT 1) TO '{tmp}'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1", "INSERT INTO \"Orders\" VALUES (1)", "DELETE FROM \"Orders\"",
    "UPDATE \"Orders\" SET id = 1", "DROP TABLE \"Orders\"", "SET datafusion.execution.batch_size = 1",
    "SHOW ALL", "PREPARE p AS SELECT 1", "SELECT 1; SELECT 2", "", "SELEC 1", "SELECT repeat('x', 999999999)",
]


@pytest.mark.parametrize("text", REFUSED)
def test_sql_asks_datasets_and_nothing_else(place, orders, tmp_path, text):
    file = tmp_path / "out.csv"
    answer = place.sql(text.replace("{tmp}", str(file)))
    assert answer.status == 400, (text, answer.body)
    assert (answer.json["code"], answer.json["field"]) == ("invalid_value", "query"), answer.json
    assert not file.exists() and b"root:" not in answer.body


def test_tables_need_the_scope_and_the_workspace(tmp_path):
    server = Server(tmp_path)
    server.start()
    try:
        place = Workspace(server)
        source = place.dataset("Secrets", [{"password": "hunter2"}])
        weak = {"x-ultracart-simple-key": server.credential("--scope", "event_read")["simple_key"]}
        for path in ("schema", "export?format=csv"):
            assert place.get(f"/v1/datasets/{source['dataset']}/{path}", weak).status == 403
            assert place.get(f"/v1/datasets/99/{path}").status == 404
        assert place.sql("SELECT 1", key=weak).status == 403
        assert place.sql("SELECT 1", key={"x-ultracart-simple-key": "nobody"}).status == 401
        assert place.sql('SELECT * FROM "Secrets"', project=77).status == 400
        tables = place.rows("SELECT table_name FROM information_schema.tables "
                            "WHERE table_schema <> 'information_schema'")
        assert tables == [["Secrets"]]
    finally:
        assert server.stop() == 0


def test_sql_ends_at_its_limits(tmp_path):
    flags = ("--sql-seconds", "1", "--sql-memory-bytes", "8MiB", "--sql-rows", "50", "--sql-queries", "1")
    server = Server(tmp_path, *flags).start()
    try:
        place = Workspace(server)
        source = place.dataset("t")
        for n in range(90):
            place.send(source, {"n": n, "k": 0, "f": os.urandom(150_000).hex()})

        def over(text, part):
            answer = place.sql(text)
            assert answer.status == 422 and answer.json["code"] == "limit_exceeded", answer.body
            assert part in answer.json["detail"], answer.json

        # Outer joins stay in the order that is written, so that each keeps ninety rows and no more.
        endless = ("SELECT sum(a.n + b.n + c.n + d.n + e.n) FROM t e LEFT JOIN (t d LEFT JOIN "
                   "(t c LEFT JOIN (t b LEFT JOIN t a ON b.k = a.k) ON c.k = b.k) ON d.k = c.k) ON e.k = d.k")
        over(endless, "1 seconds")
        over("SELECT f, count(*) FROM t GROUP BY f", "memory")
        assert place.sql("SELECT n FROM t", limit=51).status == 400
        # One query at a time; the next one is told to come again, and others are answered meanwhile.
        # The query below may be the one that runs when it asks.
        thread = threading.Thread(target=wait_until, args=(lambda: place.sql(endless).status == 422,),
                                  kwargs={"what": "the end of the query"})
        thread.start()
        busy = wait_until(lambda: (a := place.sql("SELECT 1")).status == 503 and a, what="a refusal")
        assert busy.json["code"] == "unavailable" and busy.header("retry-after") == ["1"]
        started = time.monotonic()
        assert server.http("GET", "/readyz").status == 200 and time.monotonic() - started < 1
        thread.join()
        wait_until(lambda: place.sql("SELECT 1").status == 200, what="the place of the query")
    finally:
        assert server.stop() == 0


def test_the_command_asks_a_server_or_what_is_stored(tmp_path):
    server = Server(tmp_path).start()
    place = Workspace(server)
    place.dataset("Orders", ORDERS)
    query = 'SELECT id, status FROM "Orders" WHERE total > 10 ORDER BY id'
    key = {"HOOKYARD_KEY": server.simple_key}
    asked = command("sql", "--server", server.url, query, env=key)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == ["              id  status", "----------------  ------",
                                         "               1  paid", "9007199254740993", "(2 rows)"]
    (tmp_path / "key").write_text(server.simple_key + "\n")
    found = command("sql", "--server", server.url, "--key-file", tmp_path / "key", "--output", "csv",
                    "--limit", "1", query)
    assert found.stdout == "id,status\n1,paid\n" or found.stdout == "id,status\r\n1,paid\r\n"
    assert "--limit" in found.stderr
    refused = command("sql", "--server", server.url, "DROP TABLE x", env=key)
    assert refused.returncode == 1 and "400" in refused.stderr and "SELECT" in refused.stderr
    assert "HOOKYARD_KEY" in command("sql", "--server", server.url, query).stderr
    beside = command("sql", query, env=server.place)
    if STORE == "postgres":
        assert beside.stdout == asked.stdout, beside.stderr
    else:
        assert beside.returncode == 1 and "--server" in beside.stderr
    assert server.stop() == 0

    here = command("sql", "--output", "ndjson", query, env=server.place)
    assert here.returncode == 0, here.stderr
    assert [json.loads(line)["id"] for line in here.stdout.splitlines()] == [1, 9007199254740993]
    exact = command("sql", "--output", "json",
                    'SELECT sum(CAST(total AS DECIMAL(20, 2))) AS s FROM "Orders"', env=server.place)
    assert Decimal(json.loads(exact.stdout)["rows"][0][0]) == Decimal("125.00")
    wrong = command("sql", "SELECT * FROM nowhere", env=server.place)
    assert wrong.returncode == 1 and "nowhere" in wrong.stderr and wrong.stdout == ""


def test_queries_and_exports_are_in_the_audit_log(place, orders):
    def noted(action):
        entries = place.get(f"/v1/audit?action={action}").json["entries"]
        return [entry["subject"] for entry in entries]

    before = noted("dataset.query")
    place.rows('SELECT count(*) FROM "Orders"')
    assert place.sql("SELECT nothing").status >= 400
    assert len(noted("dataset.query")) == len(before) + 1
    place.export(orders, "format=csv")
    assert str(orders["dataset"]) in noted("dataset.export")
