//! `GET /webhook/webhooks/{webhookOid}/logs`

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use hookyard_core::model::Scope;
use hookyard_engine::endpoints::{ATTEMPTS_SEARCHED_MAX, LogQuery};
use hookyard_store::AttemptQuery;
use jiff::tz::TimeZone;

use super::answer::{self, ResultSet};
use super::attempts::LogShape;
use super::auth::Caller;
use super::error::{ApiError, Subject};
use super::paging::Paging;
use super::path::{PathTexts, webhook_oid};
use super::query::Query;
use crate::App;

pub(super) async fn handle(
    State(app): State<App>,
    caller: Caller,
    PathTexts(oid): PathTexts<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let workspace = caller.may(Scope::WebhookRead)?;
    let id = webhook_oid(&app, workspace, &oid, "read").await?;
    let query = Query::parse(query.as_deref());
    let paging = query.paging()?;
    let wanted = read(&query, paging, &app.settings.time_zone)?;

    let failed = |error| ApiError::from_engine(error, Subject::webhook("read"));
    let page = app.engine.attempt_log(workspace, id, wanted).await.map_err(failed)?;
    let catalogue = app.engine.of(workspace).catalogue().await;
    let catalogue = catalogue.map_err(|error| failed(error.into()))?;
    let shape = LogShape {
        client: caller.client,
        catalogue: &catalogue,
        time_zone: &app.settings.time_zone,
    };
    let summaries: Vec<_> = page.attempts.iter().map(|attempt| shape.summary(attempt)).collect();
    let result_set = ResultSet::page(paging, summaries.len(), page.more, None);
    Ok(answer::page("webhook_log_summaries", &summaries, result_set))
}

/// Reads the filters, which must all hold (docs/spec/ultracart.md#parameters).
fn read(query: &Query, paging: Paging, zone: &TimeZone) -> Result<LogQuery, ApiError> {
    let text = |name| query.text(name).map(str::to_owned);
    // Two names for one bound, from different generations.
    let from = query.start("_since", zone)?.max(query.start("beginDate", zone)?);
    let attempts = AttemptQuery {
        from,
        until: query.end("endDate", zone)?,
        status: status(query)?,
        success: query.boolean("success")?,
        event_type: None,
        order_id: text("orderId"),
        duration_min: duration(query)?,
        offset: paging.skip(),
        limit: paging.take(),
        brief: true,
    };
    Ok(LogQuery {
        attempts,
        request_id: text("requestId"),
        event: text("event"),
        request: text("request"),
        request_field: "request",
        searched_max: ATTEMPTS_SEARCHED_MAX,
    })
}

fn status(query: &Query) -> Result<Option<u16>, ApiError> {
    let Some(number) = query.integer("status")? else { return Ok(None) };
    let status = u16::try_from(number).ok().filter(|status| (100..=999).contains(status));
    let message = "must be an HTTP status code such as 500";
    status.map(Some).ok_or_else(|| ApiError::invalid("status", message))
}

/// Milliseconds; every attempt meets a negative bound.
fn duration(query: &Query) -> Result<Option<Duration>, ApiError> {
    let number = query.integer("duration")?;
    let number = number.and_then(|number| u64::try_from(number).ok());
    Ok(number.map(Duration::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<LogQuery, ApiError> {
        let query = Query::parse(Some(raw));
        let paging = query.paging()?;
        read(&query, paging, &TimeZone::UTC)
    }

    #[test]
    fn the_newest_clients_whole_line_is_read() {
        let query = parse(
            "requestId=r%2F1+x&beginDate=2026-01-01T00%3A00%3A00%2B00%3A00&endDate=2026-01-31\
             &status=500&success=False&event=order_create&orderId=DEMO-0009104420\
             &request=free+text+%26+more&duration=250&_limit=200&_offset=3\
             &_since=2025-01-01T00%3A00%3A00%2B00%3A00",
        )
        .unwrap();
        assert_eq!(query.request_id.as_deref(), Some("r/1 x"));
        assert_eq!(query.event.as_deref(), Some("order_create"));
        assert_eq!(query.request.as_deref(), Some("free text & more"));
        let attempts = AttemptQuery {
            from: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            until: Some("2026-01-31T23:59:59.999999999Z".parse().unwrap()),
            status: Some(500),
            success: Some(false),
            event_type: None,
            order_id: Some("DEMO-0009104420".to_owned()),
            duration_min: Some(Duration::from_millis(250)),
            offset: 3,
            limit: 200,
            brief: true,
        };
        assert_eq!(query.attempts, attempts);
    }

    #[test]
    fn filters_that_cannot_be_read_are_refused() {
        for raw in [
            "status=ok",
            "status=99",
            "status=-1",
            "success=perhaps",
            "duration=long",
            "beginDate=x",
            "endDate=x",
            "_since=x",
        ] {
            assert!(parse(raw).is_err(), "{raw}");
        }
        assert!(parse("nope=1&status=None&success=null&duration=").is_ok());
    }
}
