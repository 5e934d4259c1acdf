//! The choice of statements to run.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, Query, Statement as Ast, TableAlias, TableFactor,
    Visit, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::{QUERY_BYTES_MAX, QUERY_TOKENS_MAX};
use crate::Error;

/// The most tables in a query after each use of a `WITH` part is expanded. DataFusion plans a part at every
/// use, so a chain of doubling parts has a plan without end.
const TABLES_MAX: usize = 100;

/// The functions with joined texts, like `||`.
const MAKING: [&str; 2] = ["concat", "replace"];

/// Reads the single statement of a query. Everything but questions is refused.
pub(super) fn statement(text: &str) -> Result<Statement, Error> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("has {} bytes, and at most {QUERY_BYTES_MAX} are read", text.len());
        return Err(Error::query(message));
    }
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| Error::query(error.to_string()))?;
    let words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
    if words > QUERY_TOKENS_MAX {
        let message =
            format!("has {words} words and signs, and at most {QUERY_TOKENS_MAX} are read");
        return Err(Error::query(message));
    }
    let parser = DFParserBuilder::new(tokens).with_dialect(&dialect).build();
    let statements = parser.and_then(|mut parser| parser.parse_statements());
    let mut statements = statements.map_err(|error| Error::query(error.strip_backtrace()))?;
    let (Some(mut statement), None) = (statements.pop_front(), statements.pop_front()) else {
        return Err(Error::query("must be one statement"));
    };
    if !asks(&statement) {
        return Err(Error::query(
            "is not a question: SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SHOW TABLES and SHOW \
             COLUMNS are",
        ));
    }
    let (tables, recursive) = tables(&statement);
    if recursive {
        // A recursive query runs without a pause, so nothing can end the query.
        return Err(Error::query("WITH RECURSIVE is not taken"));
    }
    if tables > TABLES_MAX {
        return Err(Error::query(format!(
            "reads tables {tables} times or more once its WITH parts are put in, and may do so \
             {TABLES_MAX} times"
        )));
    }
    if let Statement::Statement(ast) = &mut statement {
        let _ = ast.visit(&mut Namer(0));
    }
    Ok(statement)
}

/// Names subqueries without a name. DataFusion 55 takes a projection similar to the next lower projection for
/// the same and leaves out a step: `x + 1 AS x` of an unnamed `x + 1 AS x` was counted once
/// (apache/datafusion#24686). With names the two projections differ.
struct Namer(usize);

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { alias: alias @ None, .. } = table {
            self.0 += 1;
            let name = Ident::with_quote('"', format!("subquery {}", self.0));
            *alias = Some(TableAlias { explicit: true, name, columns: Vec::new(), at: None });
        }
        ControlFlow::Continue(())
    }
}

/// A statement's work on texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    /// Bytes of the longest text.
    pub(super) longest: usize,
    /// Expressions other than a column or a constant.
    pub(super) expressions: usize,
    /// Whether the statement joins texts.
    pub(super) makes: bool,
}

impl Work {
    pub(super) fn of(statement: &Statement) -> Self {
        let mut work = Self::default();
        if let Statement::Statement(ast) = asked(statement) {
            let _ = ast.visit(&mut work);
        }
        work
    }
}

impl Visitor for Work {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Nested(_) => {}
            Expr::Value(value) => {
                let text = value.value.clone().into_string();
                self.longest = self.longest.max(text.map_or(0, |text| text.len()));
            }
            Expr::Function(function) => {
                self.expressions += 1;
                let name = plain(&function.name).to_ascii_lowercase();
                self.makes |= MAKING.contains(&name.as_str());
            }
            other => {
                self.expressions += 1;
                self.makes |=
                    matches!(other, Expr::BinaryOp { op: BinaryOperator::StringConcat, .. });
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a statement has rows, and so can be cut to a number of rows.
pub(super) fn is_query(statement: &Statement) -> bool {
    matches!(statement, Statement::Statement(ast) if matches!(**ast, Ast::Query(_)))
}

fn asks(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(ast) => matches!(
            **ast,
            Ast::Query(_)
                | Ast::ExplainTable { .. }
                | Ast::ShowTables { .. }
                | Ast::ShowColumns { .. }
        ),
        Statement::Explain(ExplainStatement { statement, .. }) => is_query(statement),
        _ => false,
    }
}

/// The statement itself, or the explained statement.
fn asked(statement: &Statement) -> &Statement {
    match statement {
        Statement::Explain(ExplainStatement { statement, .. }) => statement,
        other => other,
    }
}

/// How many tables a statement is about, and whether some `WITH` is recursive.
fn tables(statement: &Statement) -> (usize, bool) {
    let mut found = Found::default();
    if let Statement::Statement(ast) = asked(statement) {
        let _ = ast.visit(&mut found);
    }
    let mut weights = HashMap::new();
    let add = |sum: usize, name: &String| sum.saturating_add(found.weigh(name, &mut weights));
    (found.named.iter().fold(0, add), found.recursive)
}

/// The tables named in a statement, and the tables named in each `WITH` part.
#[derive(Default)]
struct Found {
    named: Vec<String>,
    parts: HashMap<String, Vec<String>>,
    recursive: bool,
}

impl Found {
    /// The number of tables behind a name. Parts with a reference to themselves are refused elsewhere.
    fn weigh(&self, name: &str, known: &mut HashMap<String, usize>) -> usize {
        if let Some(weight) = known.get(name) {
            return *weight;
        }
        known.insert(name.to_owned(), 1);
        let Some(named) = self.parts.get(name) else { return 1 };
        let add = |sum: usize, inner: &String| sum.saturating_add(self.weigh(inner, known));
        let weight = named.iter().fold(1, add);
        known.insert(name.to_owned(), weight);
        weight
    }
}

impl Visitor for Found {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.recursive |= query.with.as_ref().is_some_and(|with| with.recursive);
        for part in query.with.iter().flat_map(|with| &with.cte_tables) {
            let mut inner = Names::default();
            let _ = part.query.visit(&mut inner);
            self.parts.entry(part.alias.name.value.clone()).or_default().extend(inner.0);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.named.push(plain(name));
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Names(Vec<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.0.push(plain(name));
        ControlFlow::Continue(())
    }
}

/// The last part of a name, without quotes.
fn plain(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map(|ident| ident.value.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        statement(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn only_questions_are_run() {
        for text in [
            "SELECT 1",
            "select * from t;",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "VALUES (1), (2)",
            "EXPLAIN SELECT 1",
            "EXPLAIN ANALYZE VERBOSE SELECT 1",
            "DESCRIBE t",
            "SHOW TABLES",
            "SHOW COLUMNS FROM t",
        ] {
            assert_eq!(refusal(text), "", "{text}");
        }
        for text in [
            "",
            ";",
            "SELECT 1; SELECT 2",
            "INSERT INTO t VALUES (1)",
            "UPDATE t SET a = 1",
            "DELETE FROM t",
            "DROP TABLE t",
            "CREATE TABLE t AS SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
            "CREATE FUNCTION f() RETURNS INT RETURN 1",
            "COPY (SELECT 1) TO '/tmp/x.csv'",
            "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
            "EXPLAIN INSERT INTO t VALUES (1)",
            "SET datafusion.execution.batch_size = 1",
            "RESET datafusion.execution.batch_size",
            "SHOW ALL",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "BEGIN",
            "TRUNCATE t",
            "ATTACH DATABASE 'x' AS y",
            "SELEC 1",
            "SELECT '",
        ] {
            assert!(refusal(text).starts_with("query: "), "{text}: {}", refusal(text));
        }
    }

    #[test]
    fn what_is_made_of_texts_is_counted() {
        let work = |text| Work::of(&statement(text).unwrap());
        assert_eq!(work("SELECT a, (b.c), 1 FROM t"), Work::default());
        let some = work("EXPLAIN SELECT upper('abc'), CASE WHEN a = 'x' THEN 1 END FROM t");
        assert_eq!(some, Work { longest: 3, expressions: 3, makes: false });
        for text in [
            "SELECT a || 'b'",
            "SELECT x FROM (SELECT Concat(a, b) AS x)",
            "SELECT \"replace\"(a, b, c)",
        ] {
            assert!(work(text).makes, "{text}");
        }
    }

    #[test]
    fn words_in_any_order_are_a_question_or_refused() {
        const WORDS: [&str; 44] = [
            "SELECT",
            "*",
            "FROM",
            "(",
            ")",
            "WITH",
            "RECURSIVE",
            "AS",
            ",",
            "t",
            "a",
            "'x'",
            "\"q\"",
            "1",
            "+",
            "||",
            "CASE",
            "WHEN",
            "THEN",
            "END",
            "JOIN",
            "ON",
            "=",
            "UNION",
            "ALL",
            "EXPLAIN",
            "COPY",
            "TO",
            "INTO",
            "INSERT",
            "$1",
            "ORDER",
            "BY",
            "LIMIT",
            "-",
            "NOT",
            "NULL",
            "IN",
            "AND",
            "::",
            "INT",
            "[",
            "]",
            ";",
        ];
        let mut state = 1_u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            usize::try_from(state >> 16).unwrap() % below
        };
        let mut taken = 0;
        for _ in 0..20_000 {
            let words: Vec<_> = (0..1 + next(12)).map(|_| WORDS[next(WORDS.len())]).collect();
            for text in [words.join(" "), format!("SELECT {}", words.join(" "))] {
                if let Ok(statement) = statement(&text) {
                    assert!(asks(&statement), "{text}");
                    let _ = Work::of(&statement);
                    taken += 1;
                }
            }
        }
        assert!(taken > 100, "{taken}");
    }

    #[test]
    fn length_depth_and_doubling_are_bounded() {
        assert!(refusal(&"x".repeat(QUERY_BYTES_MAX + 1)).contains("bytes"));
        assert!(refusal(&format!("SELECT 1{}", "+1".repeat(QUERY_TOKENS_MAX))).contains("words"));
        assert!(!refusal(&format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500))).is_empty());

        let mut text = "WITH a0 AS (SELECT 1 AS x)".to_owned();
        for n in 1..40 {
            let before = n - 1;
            text.push_str(&format!(", a{n} AS (SELECT l.x FROM a{before} l, a{before} r)"));
        }
        let doubling = refusal(&format!("{text} SELECT * FROM a39"));
        assert!(doubling.contains("WITH parts"), "{doubling}");
        let nested = "SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t, t b) x";
        assert_eq!(refusal(nested), "");
        let recursive = "WITH RECURSIVE t AS (SELECT 1 UNION ALL SELECT * FROM t) SELECT * FROM t";
        assert!(refusal(recursive).contains("RECURSIVE"));
    }
}
