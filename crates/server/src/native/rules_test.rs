//! `POST /v1/rules/test`: the verdict of a rule on one event, or on the last events of a type.

use super::input::Nothing;
use super::sent::LargeBody;
use axum::http::header;
use axum::response::IntoResponse;
use hookyard_core::id::WorkspaceId;
use hookyard_core::model::Event;
use hookyard_engine::rules::{Explanation, RULE_BYTES_MAX, Rule, TRIAL_EVENTS_MAX};
use hookyard_engine::work::Share;
use hookyard_engine::{Engine, rules};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::call::{Call, Events, Read};
use super::{input, paths};
use crate::problem::{Code, Problem};

/// Events of a trial when the request sets no number.
const LAST_DEFAULT: usize = 1_000;

/// Bytes of a body beyond its event: the names, and the rule, whose escapes take more room inside a string.
const BODY_EXTRA_BYTES: usize = 4 * RULE_BYTES_MAX;

/// A rule, with either `event`, or `event_type` and optionally `last`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RuleQuestion)]
pub(super) struct Question<'a> {
    /// The rule: an object, or a text that holds an object.
    #[serde(borrow)]
    #[schema(value_type = Object)]
    rule: &'a RawValue,
    /// The event as an object, in the form of a publish.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    event: Option<&'a RawValue>,
    /// The event type whose last events are tried.
    #[serde(default)]
    event_type: Option<String>,
    /// How many of the last events are tried; 1,000 unless said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 10000)]
    last: Option<usize>,
}

/// The verdict of a rule on one event, or on the last events of a type.
#[derive(ToSchema)]
#[schema(as = RuleAnswer)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes the two answers, which are written apart")]
enum Answer<'a> {
    Event(Verdict),
    Journal(TrialBody<'a>),
}

/// The verdict of a rule on one event.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleVerdict)]
struct Verdict {
    matched: bool,
    explanation: String,
    branches: Vec<Branch>,
}

/// One combination of `$or` branches. A rule without `$or` has a single branch.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleBranch)]
struct Branch {
    matched: bool,
    failures: Vec<Failure>,
}

/// Why a field does not match.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleFailure)]
struct Failure {
    path: String,
    reason: String,
}

/// The verdict of a rule on the last events of a type.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleTrial)]
struct TrialBody<'a> {
    event_type: &'a str,
    tested: usize,
    matched: usize,
    refused: usize,
    samples: Vec<Sample<'a>>,
}

/// An event that would have matched.
#[derive(Serialize, ToSchema)]
#[schema(as = RuleSample)]
struct Sample<'a> {
    seq: u64,
    id: &'a str,
    source: &'a str,
}

/// Test a rule
///
/// Answers the verdict of a rule on one event, or on the last events of a type. Nothing is stored.
#[utoipa::path(
    post,
    path = paths::RULES_TEST,
    tag = "rules",
    responses((status = 200, description = "What the rule says", body = Answer)),
)]
pub(super) async fn test_rule(
    call: Call<Read<Events>, (), Nothing, LargeBody<Question<'static>>>,
) -> Result<impl IntoResponse, Problem> {
    let Call { app, caller: workspace, body, .. } = call;
    let body = body.bytes(app.settings.event_bytes_max + BODY_EXTRA_BYTES).await?;
    let (work, share) = (app.engine.work(), Share::Calls(workspace));
    let parse = || input::parse::<Question<'_>>(&body);
    let question = work.run(share, body.len(), parse).await??;
    let answer = match (question.event, &question.event_type) {
        (Some(event), None) if question.last.is_none() => {
            let test = || rule(question.rule).and_then(|rule| on_event(&rule, event));
            work.run_large(share, test).await??
        }
        (None, Some(name)) => {
            let rule = work.run_large(share, || rule(question.rule)).await??;
            let last = question.last.unwrap_or(LAST_DEFAULT);
            on_journal(&app.engine, workspace, &rule, name, last).await?
        }
        _ => {
            let detail = "send `rule` with `event`, or `rule` with `event_type` and, if not the \
                          last 1000 events are meant, `last`";
            return Err(Problem::new(Code::InvalidValue, detail));
        }
    };
    Ok(([(header::CONTENT_TYPE, input::JSON)], answer))
}

/// The rule: an object, or a string that holds an object, as `event_ruler` accepts.
fn rule(value: &RawValue) -> Result<Rule, Problem> {
    let refused = |reason: String| Problem::of_field(Code::InvalidValue, "rule", reason);
    let parsed = match serde_json::from_str::<String>(value.get()) {
        Ok(text) => rules::parse(&text),
        Err(_not_a_string) => rules::parse(value.get()),
    };
    parsed.map_err(refused)
}

fn on_event(rule: &Rule, event: &RawValue) -> Result<String, Problem> {
    let explanation = rules::explain(rule, event.get().as_bytes())
        .map_err(|error| Problem::of_field(Code::InvalidValue, "event", error.to_string()))?;
    Ok(text(&Verdict::from(&explanation)))
}

impl From<&Explanation> for Verdict {
    fn from(explanation: &Explanation) -> Self {
        let failure = |failure: &rules::Failure| Failure {
            path: failure.path().to_owned(),
            reason: failure.reason().to_string(),
        };
        let branch = |branch: &rules::SubRuleExplanation| Branch {
            matched: branch.matched(),
            failures: branch.failures().iter().map(failure).collect(),
        };
        Self {
            matched: explanation.matched(),
            explanation: explanation.to_string(),
            branches: explanation.sub_rules().iter().map(branch).collect(),
        }
    }
}

async fn on_journal(
    engine: &Engine,
    workspace: WorkspaceId,
    rule: &Rule,
    name: &str,
    last: usize,
) -> Result<String, Problem> {
    if !(1..=TRIAL_EVENTS_MAX).contains(&last) {
        let detail = format!("must be 1 to {TRIAL_EVENTS_MAX}, not {last}");
        return Err(Problem::of_field(Code::InvalidValue, "last", detail));
    }
    let catalogue = engine.of(workspace).catalogue().await?;
    let (_, kind) = catalogue.find(name).map_err(|unknown| {
        Problem::of_field(Code::UnknownEventType, "event_type", unknown.to_string())
    })?;
    let trial = engine.try_rule(workspace, rule, kind.id, last).await?;
    Ok(text(&TrialBody {
        event_type: name,
        tested: trial.tested,
        matched: trial.matched,
        refused: trial.refused,
        samples: trial.samples.iter().map(|event| Sample::from(event.as_ref())).collect(),
    }))
}

impl<'a> From<&'a Event> for Sample<'a> {
    fn from(event: &'a Event) -> Self {
        Self { seq: event.seq.0, id: &event.id, source: &event.source }
    }
}

/// The answers are structures of texts and numbers, which always have a JSON text.
fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap_or_default()
}

/// Examples of the file's schemas, by name.
pub(super) fn samples() -> Vec<(&'static str, Value)> {
    let stage = "Shipping Department";
    let question = json!({"rule": {"current_stage": [stage]}, "event": {"current_stage": stage}});
    vec![("RuleQuestion", question)]
}
