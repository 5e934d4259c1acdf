use std::time::Duration;

use hookyard_core::id::DatasetId;
use serde_json::{Value, json};

use super::*;
use crate::Error;
use crate::testing::{OTHER, PROJECT, Place, WS};

fn query(text: &str) -> Query {
    Query {
        text: text.to_owned(),
        parameters: Vec::new(),
        project: None,
        limit: None,
        form: Form::Json,
    }
}

async fn ask(place: &Place, text: &str) -> Result<Value, Error> {
    let answer = place.tables.query(WS, query(text)).await?;
    Ok(serde_json::from_slice(&answer.body).unwrap())
}

async fn rows(place: &Place, text: &str) -> Value {
    ask(place, text).await.unwrap_or_else(|error| panic!("{text}: {error}"))["rows"].take()
}

async fn refusal(place: &Place, text: &str) -> Error {
    match ask(place, text).await {
        Ok(answer) => panic!("{text} is answered {answer}"),
        Err(error) => error,
    }
}

async fn orders(place: &Place) -> DatasetId {
    let cells = [
        r#"{"id":1,"status":"paid","total":19.99,"at":"2026-01-01T10:00:00Z","customer":{"email":"a@x"}}"#,
        r#"{"id":2,"status":"open","total":5,"at":"2026-01-02T10:00:00+02:00","lines":[1,2]}"#,
        r#"{"id":3,"status":"paid","total":100.01,"day":"2026-02-01","exact":0.12345678901234567891}"#,
    ];
    place.dataset(WS, "Orders", &cells).await
}

#[tokio::test]
async fn datasets_are_tables_with_types() {
    let place = Place::new().await;
    let id = orders(&place).await;
    let sums = rows(
        &place,
        r#"SELECT status, count(*), sum(total) FROM "Orders" GROUP BY status ORDER BY 1"#,
    );
    assert_eq!(sums.await, json!([["open", 1, 5.0], ["paid", 2, 120.0]]));
    let by_number = format!(r#"SELECT "customer.email" FROM dataset_{id} WHERE id = 1"#);
    assert_eq!(rows(&place, &by_number).await, json!([["a@x"]]));
    let answer = ask(&place, "SELECT at, day, exact, lines, id, total FROM Orders ORDER BY id")
        .await
        .unwrap();
    let types: Vec<_> =
        answer["columns"].as_array().unwrap().iter().map(|c| c["type"].clone()).collect();
    assert_eq!(types, ["timestamp", "date", "string", "string", "integer", "number"]);
    assert_eq!(answer["rows"][0], json!(["2026-01-01T10:00:00Z", null, null, null, 1, 19.99]));
    assert_eq!(answer["rows"][1][0], "2026-01-02T08:00:00Z");
    assert_eq!(answer["rows"][1][3], "[1,2]");
    assert_eq!(answer["rows"][2][2], "0.12345678901234567891");
    assert_eq!(answer["truncated"], false);
    let cast = "SELECT CAST(exact AS DECIMAL(30, 20)) * 2 FROM Orders WHERE exact IS NOT NULL";
    assert_eq!(rows(&place, cast).await, json!([["0.24691357802469135782"]]));
    let own = "SELECT _received_at, _cell FROM Orders WHERE _batch >= 0 ORDER BY _batch LIMIT 1";
    let own = rows(&place, own).await;
    assert_eq!(own[0][0], "1970-01-01T00:00:00Z");
    assert!(own[0][1].as_str().unwrap().starts_with(r#"{"id":1,"#));
    assert_eq!(rows(&place, "SELECT count(*) FROM Orders").await, json!([[3]]));
    let texts = "SELECT status || '-' || id, concat(status, null, 1), replace(status, 'a', 'oo'), 'x' || null FROM Orders WHERE id = 1";
    assert_eq!(rows(&place, texts).await, json!([["paid-1", "paid1", "pooid", null]]));
}

#[tokio::test]
async fn subqueries_that_look_alike_are_both_counted() {
    let place = Place::new().await;
    let text =
        "SELECT x + 1 AS x FROM (SELECT x + 1 AS x FROM (SELECT x + 1 AS x FROM (SELECT 1 AS x)))";
    assert_eq!(rows(&place, text).await, json!([[4]]));
    let named = "SELECT x + 1 AS x FROM (SELECT x + 1 AS x FROM (SELECT x + 1 AS x FROM (SELECT 1 AS x) a) a) a";
    assert_eq!(rows(&place, named).await, json!([[4]]));
}

#[tokio::test]
async fn our_own_columns_narrow_what_is_read() {
    let place = Place::new().await;
    let cells: Vec<_> = (0..100).map(|n| format!(r#"{{"n":{n}}}"#)).collect();
    let cells: Vec<_> = cells.iter().map(String::as_str).collect();
    place.dataset(WS, "t", &cells).await;
    for (condition, count) in [
        ("_received_at >= '1970-01-01T00:01:00Z'", 40),
        ("_received_at > '1970-01-01T00:01:00Z'", 39),
        ("_received_at < '1970-01-01T00:01:00Z'", 60),
        ("_received_at <= '1970-01-01T00:01:00Z'", 61),
        ("_received_at = '1970-01-01T00:01:00Z'", 1),
        ("_received_at BETWEEN '1970-01-01T00:00:10Z' AND '1970-01-01T00:00:19Z'", 10),
        ("'1970-01-01T00:01:00Z' > _received_at AND n >= 50", 10),
        ("_batch > (SELECT min(_batch) + 9 FROM t)", 90),
        ("_batch >= 0 AND _batch > -5", 100),
    ] {
        let text = format!("SELECT count(*) FROM t WHERE {condition}");
        assert_eq!(rows(&place, &text).await, json!([[count]]), "{condition}");
    }
    let plan = "EXPLAIN SELECT n FROM t WHERE _received_at >= '1970-01-01T00:01:00Z'";
    let plan = rows(&place, plan).await.to_string();
    assert!(plan.contains("partial_filters") && plan.contains("StreamingTableExec"), "{plan}");
}

#[tokio::test]
async fn parameters_forms_and_limits_of_rows() {
    let place = Place::new().await;
    orders(&place).await;
    let mut asked =
        query("SELECT id, status FROM Orders WHERE status = $1 AND total > $2 ORDER BY id");
    asked.parameters = vec![Parameter::Text("paid".to_owned()), Parameter::Integer(1)];
    asked.form = Form::Csv;
    let answer = place.tables.query(WS, asked.clone()).await.unwrap();
    assert_eq!(String::from_utf8(answer.body).unwrap(), "id,status\r\n1,paid\r\n3,paid\r\n");
    asked.form = Form::Ndjson;
    asked.limit = Some(1);
    let answer = place.tables.query(WS, asked.clone()).await.unwrap();
    assert_eq!(String::from_utf8(answer.body).unwrap(), "{\"id\":1,\"status\":\"paid\"}\n");
    assert!(answer.truncated);
    asked.parameters.clear();
    assert!(place.tables.query(WS, asked.clone()).await.is_err());
    for limit in [0, Limits::default().rows + 1] {
        let refused = place.tables.query(WS, Query { limit: Some(limit), ..asked.clone() }).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "limit", .. })));
    }
}

#[tokio::test]
async fn names_that_several_datasets_have_are_refused() {
    let place = Place::new().await;
    let first = place.dataset(WS, "same", &["1"]).await;
    place.dataset(WS, "same", &["2"]).await;
    // What looks like the number of another one is not it.
    place.dataset(WS, &format!("dataset_{first}"), &["3"]).await;
    let message = refusal(&place, "SELECT * FROM same").await.to_string();
    assert!(message.contains(&format!("dataset_{first}")), "{message}");
    let value = format!("SELECT _value FROM dataset_{first}");
    assert_eq!(rows(&place, &value).await, json!([[1]]));
}

#[tokio::test]
async fn nothing_beyond_the_workspace_is_there() {
    let place = Place::new().await;
    orders(&place).await;
    let theirs = place.dataset(OTHER, "Secrets", &[r#"{"password":"hunter2"}"#]).await;
    for text in [
        "SELECT * FROM Secrets".to_owned(),
        format!("SELECT * FROM dataset_{theirs}"),
        format!("SELECT * FROM hookyard.datasets.dataset_{theirs}"),
        format!("SELECT * FROM other.datasets.dataset_{theirs}"),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELECT * FROM \"/etc/passwd\"".to_owned(),
        "SELECT * FROM 'file:///etc/passwd'".to_owned(),
        "SELECT * FROM 'http://127.0.0.1/x.csv'".to_owned(),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM read_parquet('/x')".to_owned(),
        "SELECT * FROM generate_series(1, 1000000000)".to_owned(),
        "SELECT * FROM range(1)".to_owned(),
        "SELECT * FROM sqlite_master".to_owned(),
        "SELECT * FROM rows".to_owned(),
        "SELECT * FROM credentials".to_owned(),
        "SELECT version()".to_owned(),
        "SELECT input_file_name() FROM Orders".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        "SELECT @@version".to_owned(),
        "COPY (SELECT 1) TO '/tmp/hookyard-test.csv'".to_owned(),
        "COPY Orders TO '/tmp/hookyard-test.csv'".to_owned(),
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "CREATE TABLE t AS SELECT * FROM Orders".to_owned(),
        "SELECT * INTO t FROM Orders".to_owned(),
        "INSERT INTO Orders VALUES (1)".to_owned(),
        "WITH x AS (SELECT 1) INSERT INTO Orders SELECT * FROM x".to_owned(),
        "DELETE FROM Orders".to_owned(),
        "DROP TABLE Orders".to_owned(),
        "SET datafusion.sql_parser.dialect = 'mysql'".to_owned(),
    ] {
        let error = refusal(&place, &text).await;
        assert!(matches!(error, Error::Invalid { field: "query", .. }), "{text}: {error:?}");
        assert!(!error.to_string().contains("hunter2"), "{text}");
    }
    let all = "SELECT table_name FROM information_schema.tables WHERE table_schema <> 'information_schema'";
    assert_eq!(rows(&place, all).await, json!([["Orders"]]));
    assert!(!rows(&place, "SHOW TABLES").await.to_string().contains("Secrets"));
    assert!(
        !rows(&place, "SELECT * FROM information_schema.columns")
            .await
            .to_string()
            .contains("password")
    );
    let schemas = "SELECT DISTINCT catalog_name FROM information_schema.schemata";
    assert_eq!(rows(&place, schemas).await, json!([["hookyard"]]));
    let elsewhere =
        Query { project: Some(ProjectId(PROJECT.0 + 1)), ..query("SELECT * FROM Orders") };
    assert!(place.tables.query(WS, elsewhere).await.is_err());
    assert!(!std::path::Path::new("/tmp/hookyard-test.csv").exists());
}

fn limited(error: &Error) -> bool {
    matches!(error, Error::Limit(_))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_bounded() {
    let limits = Limits { memory_bytes: 2 << 20, ..Limits::default() };
    let place = Place::with(limits).await;
    let id = place.dataset(WS, "t", &[]).await;
    let filler = "x".repeat(2_000);
    place.fill(id, (0..3_000).map(|n| format!(r#"{{"n":{n},"f":"{filler}{n}"}}"#))).await;
    for text in [
        "SELECT f, count(*) FROM t GROUP BY f",
        "SELECT a.n FROM t a JOIN t b ON a.f = b.f",
        "SELECT count(DISTINCT f) FROM t",
        "SELECT median(n), f FROM t GROUP BY f",
        "SELECT *, row_number() OVER (ORDER BY f) AS r FROM t",
        "SELECT f, count(*) OVER () AS c FROM t",
        "SELECT max(f) FROM (SELECT f, row_number() OVER () AS c FROM t) WHERE c > 5",
    ] {
        let error = refusal(&place, text).await;
        assert!(limited(&error), "{text}: {error:?}");
    }
    assert_eq!(rows(&place, "SELECT count(*), max(n) FROM t").await, json!([[3_000, 2_999]]));
    assert_eq!(
        rows(&place, "SELECT n FROM t ORDER BY n DESC LIMIT 2").await,
        json!([[2_999], [2_998]])
    );
}

#[tokio::test]
async fn texts_do_not_grow_without_bound() {
    let place = Place::new().await;
    orders(&place).await;
    let long = "a".repeat(20_000);
    let mut doubled = format!("SELECT '{long}' || id AS x FROM Orders");
    for _ in 0..11 {
        doubled = format!("SELECT x || x AS x FROM ({doubled})");
    }
    for text in [
        format!("SELECT replace('{long}', 'a', '{long}')"),
        format!("SELECT replace(status || '{long}', 'a', '{long}') FROM Orders"),
        doubled.clone(),
        doubled.replace("x || x", "concat(x, x)"),
    ] {
        let error = refusal(&place, &text).await;
        assert!(limited(&error), "{error:?}");
    }
    for name in [
        "repeat('x', 1000000000)",
        "lpad('x', 1000000000)",
        "rpad('x', 1000000000)",
        "levenshtein('a', 'b')",
        "regexp_replace('a', 'a', 'b')",
        "to_char(now(), '%c')",
        "arrow_cast('a', 'Utf8')",
        "array_agg(1)",
        "string_agg('a', 'b')",
    ] {
        let error = refusal(&place, &format!("SELECT {name}")).await;
        assert!(matches!(error, Error::Invalid { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn long_rows_are_not_multiplied_in_memory() {
    let limits = Limits { memory_bytes: 4 << 20, ..Limits::default() };
    let place = Place::with(limits).await;
    let id = place.dataset(WS, "t", &[]).await;
    place.fill(id, (0..50).map(|n| format!(r#"{{"n":{n},"k":0,"f":"a"}}"#))).await;
    let long = format!(r#"{{"n":50,"k":0,"f":"{}"}}"#, "é".repeat(100_000));
    place.add(WS, id, &long, 0).await;
    let one = "(SELECT * FROM t WHERE n = 50)";
    let joined =
        format!("SELECT max(length(upper(a.f))), count(*) FROM {one} a JOIN t b ON a.k = b.k");
    assert_eq!(rows(&place, &joined).await, json!([[100_000, 51]]));
    let many: Vec<_> = (0..30).map(|n| format!("upper(substr(f, {n}))")).collect();
    let error = refusal(&place, &format!("SELECT {} FROM t", many.join(", "))).await;
    assert!(limited(&error) && error.to_string().contains("expressions over it"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_rows_bytes_and_number_are_bounded() {
    let limits = Limits { time: Duration::from_millis(700), queries: 3, ..Limits::default() };
    let place = Place::with(limits).await;
    let id = place.dataset(WS, "t", &[]).await;
    place.fill(id, (0..100).map(|n| format!(r#"{{"n":{n},"k":0}}"#))).await;
    let many = place.dataset(WS, "many", &[]).await;
    place.fill(many, (0..1_100).map(|n| n.to_string())).await;
    place.tables.schema(WS, id).await.unwrap();
    // Outer joins stay in the order that is written, so that each keeps a hundred rows and no more.
    let endless = "SELECT sum(a.n + b.n + c.n + d.n + e.n) FROM t e LEFT JOIN (t d LEFT JOIN \
                   (t c LEFT JOIN (t b LEFT JOIN t a ON b.k = a.k) ON c.k = b.k) ON d.k = c.k) \
                   ON e.k = d.k";
    let error = refusal(&place, endless).await;
    assert!(limited(&error) && error.to_string().contains("0.7 seconds"), "{error:?}");

    let running: Vec<_> = (0..2)
        .map(|_| {
            let tables = place.tables.clone();
            tokio::spawn(async move { tables.query(WS, query(endless)).await })
        })
        .collect();
    // Of three places a workspace may have two.
    while place.tables.queries.free() > 1 {
        tokio::task::yield_now().await;
    }
    let busy = refusal(&place, "SELECT 1").await;
    assert!(matches!(busy, Error::Busy(_)), "{busy:?}");
    // Whoever goes away leaves its place to others.
    for query in &running {
        query.abort();
    }
    let answer = loop {
        match ask(&place, "SELECT _value FROM many").await {
            Err(Error::Busy(_)) => tokio::task::yield_now().await,
            answer => break answer.unwrap(),
        }
    };
    assert_eq!(
        (answer["rows"].as_array().unwrap().len(), &answer["truncated"]),
        (1_000, &json!(true))
    );
}

#[tokio::test]
async fn joins_without_an_equality_are_refused_but_for_single_rows() {
    let place = Place::new().await;
    let id = place.dataset(WS, "t", &[]).await;
    place.fill(id, (0..100).map(|n| format!(r#"{{"n":{n}}}"#))).await;
    let pairs = "SELECT count(*) FROM t a, t b WHERE a.n + b.n = -1";
    let error = refusal(&place, pairs).await;
    assert!(error.to_string().contains("has no equality"), "{error:?}");
    for (text, count) in [
        ("SELECT count(*) AS c FROM t WHERE n > (SELECT avg(n) FROM t)", 50),
        ("SELECT count(*) AS c FROM t a JOIN t b ON a.n = b.n AND a.n < b.n + 1", 100),
        ("SELECT count(*) AS c FROM t a, t b", 10_000),
    ] {
        let answer = ask(&place, text).await.unwrap();
        assert_eq!(answer["rows"][0], json!([count]), "{text}: {answer}");
    }
}

#[tokio::test]
async fn the_answer_is_bounded_in_bytes() {
    let place = Place::new().await;
    let id = place.dataset(WS, "t", &[]).await;
    let filler = "x".repeat(200_000);
    place.fill(id, (0..100).map(|_| format!("\"{filler}\""))).await;
    let error = refusal(&place, "SELECT _value FROM t").await;
    assert!(limited(&error) && error.to_string().contains("bytes"), "{error:?}");
}

#[tokio::test]
async fn long_queries_do_not_overflow_the_stack() {
    let place = Place::new().await;
    orders(&place).await;
    let many = QUERY_TOKENS_MAX / 2 - 10;
    for text in [
        format!("SELECT id{} FROM Orders", "+1".repeat(many)),
        format!("SELECT id FROM Orders WHERE id = 1{}", " OR id=2".repeat(many / 2)),
        format!("SELECT {}id FROM Orders", "- ".repeat(many)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(many / 3)),
        format!("SELECT id FROM Orders WHERE id IN (1{})", ",1".repeat(many)),
        format!("SELECT {}1{}", "abs(".repeat(many / 2), ")".repeat(many / 2)),
        format!("SELECT {}'a'", "'a'||".repeat(many)),
        format!("SELECT CASE {} END", "WHEN 1=2 THEN 1 ".repeat(many / 4)),
    ] {
        // An answer or a refusal: what matters is that there is one.
        if let Err(error) = ask(&place, &text).await {
            assert!(!matches!(error, Error::Internal(_)), "{}: {error:?}", &text[..40]);
        }
    }
}
