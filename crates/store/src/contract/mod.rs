//! The suite that every backend passes.
//!
//! A backend's tests make a [`Fixture`] and call [`suite!`], which turns every case below into a test.
//! Opening a fixture again without closing the store first is a crash: acknowledged writes must be there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hookyard_core::catalogue;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::{EndpointId, EventTypeId, ProjectId, RequestId, Seq, WorkspaceId};
use hookyard_core::model::{
    CredentialKind, Endpoint, EndpointSettings, Header, Mode, NewAttempt, NewEvent, NewEventType,
    NewSource, Outcome, Outgoing, Previous, Project, Receipt, Scopes, Secret, SourceOptions,
    Subscription, Workspace,
};
use jiff::Timestamp;

use crate::check::Report;
use crate::{HeadLimit, Lease, NewCredential, NewWorkspace, SharedStore};

pub(crate) mod applications;
pub(crate) mod attempts;
pub(crate) mod audit;
pub(crate) mod catalog;
pub(crate) mod checking;
pub(crate) mod credentials;
pub(crate) mod customers;
pub(crate) mod dataset_rows;
pub(crate) mod datasets;
pub(crate) mod dead_letters;
pub(crate) mod earlier;
pub(crate) mod folders;
pub(crate) mod journal;
pub(crate) mod lanes;
pub(crate) mod limits;
pub(crate) mod oauth;
pub(crate) mod queue;
pub(crate) mod receiving;
pub(crate) mod replays;
pub(crate) mod retention;
pub(crate) mod sources;
pub(crate) mod tenants;
pub(crate) mod trash;
pub(crate) mod versions;

/// The place of a backend's data.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    /// Opens a store on the fixture; the writes acknowledged by an earlier store are there.
    async fn open(&self) -> SharedStore;

    /// What a check says of the place; `None` where the fixture is in the middle of something.
    async fn check(&self) -> Option<Report> {
        None
    }

    /// Changes the data behind the store's back.
    async fn tamper(&self, _sql: &str) {}
}

/// Fails where a check finds a problem that a case has not made.
pub(crate) async fn is_whole(fixture: &dyn Fixture) {
    if let Some(report) = fixture.check().await {
        assert!(report.is_whole(), "{report:#?}");
    }
}

/// Makes a test of every case, with the fixture that the expression makes.
macro_rules! suite {
    ($fixture:expr) => {
        $crate::contract::suite!(@ $fixture,
            applications: applications_live_and_survive, foreign_workspaces_see_no_applications,
                grants_are_listed_and_end, what_an_application_had_goes_with_it;
            attempts: filters_select_what_they_say, foreign_workspaces_see_nothing,
                pages_are_newest_first, pages_of_attempts_are_bounded_by_bytes,
                brief_ones_have_no_texts;
            catalog: endpoints_live_and_survive,
                stale_revisions_are_refused,
                cancelled_subscriptions_stay, revisions_are_kept_without_secrets,
                foreign_workspaces_see_nothing_of_endpoints, disabling_keeps_its_reason,
                event_types_are_added_for_good, an_endpoint_knows_which_application_made_it;
            audit: changes_are_noted_with_who_made_them, what_fails_is_not_noted, what_is_seen_is_noted,
                entries_are_found_by_what_is_asked, secrets_are_not_noted,
                entries_go_by_age_and_bytes, foreign_workspaces_see_no_entries,
                decisions_and_tokens_are_noted;
            checking: a_store_in_use_is_whole_and_every_event_is_accounted_for,
                counters_that_differ_are_found, a_lost_attempt_is_found, a_lost_queue_is_found,
                an_event_that_is_queued_twice_is_found,
                damage_is_found_and_never_served, a_secret_that_does_not_open_is_found;
            tenants: workspaces_are_unique, quotas_and_use_are_kept, tenants_get_other_names,
                projects_are_numbered_and_bounded, a_project_goes_when_it_is_empty,
                foreign_workspaces_see_no_projects;
            credentials: credentials_are_found_by_kind_and_hash, what_is_said_of_one_survives,
                one_can_open_a_project_alone,
                revoked_ones_stay_revoked, a_successor_is_the_same_but_for_its_secret,
                uses_only_go_forward, ended_ones_are_forgotten, credentials_are_bounded,
                foreign_workspaces_see_no_credentials;
            customers: customers_live_and_survive, the_first_endpoint_makes_its_customer,
                a_customer_goes_with_its_endpoints, a_customers_endpoints_are_bounded,
                foreign_workspaces_see_no_customers;
            datasets: combine_appends_and_replace_replaces, switching_to_replace_hides_many_rows,
                sources_and_datasets_live_apart, deleting_a_dataset_takes_its_source,
                rows_survive, foreign_projects_see_nothing, a_dataset_needs_no_source,
                datasets_are_listed_by_what_is_asked, settings_change_by_revision,
                numbers_are_not_used_again;
            dataset_rows: pages_go_on_where_the_last_one_ended, pages_are_bounded_by_bytes,
                ranges_of_time_select_rows, offsets_count_visible_rows,
                batches_are_suspended_restored_and_deleted, changes_are_all_or_none,
                batches_are_listed_by_state, foreign_projects_see_no_rows;
            sources: sources_are_listed_in_pages, every_setting_is_kept, a_new_key_takes_the_place,
                what_was_rotated_is_found_as_long_as_it_is_there,
                a_verification_is_kept_with_its_secrets, a_secret_is_learnt_once;
            dead_letters: a_parked_event_leaves_the_queue, parking_is_bounded,
                redelivered_letters_are_queued_last_in_one_order, letters_are_dropped_by_number,
                foreign_workspaces_see_no_letters, refusals_survive_until_the_event_leaves;
            folders: folders_hold_datasets_and_folders, a_source_is_put_in_the_folder_it_names,
                a_removed_folder_leaves_or_takes_what_is_in_it,
                folders_are_no_ring_and_not_too_deep, foreign_projects_see_no_folders,
                jobs_are_kept_and_bounded;
            journal: events_read_back, duplicates_are_recognised, pages_go_both_ways,
                pages_of_events_are_bounded_by_bytes,
                events_are_found_by_id, foreign_workspaces_see_no_events;
            oauth: a_code_is_good_once_and_its_reuse_ends_the_grant,
                a_refresh_token_is_good_once_and_its_reuse_ends_the_family,
                what_is_late_or_anothers_gives_nothing, one_of_two_at_once_wins,
                a_device_waits_for_its_person, a_device_that_hurries_is_slowed,
                a_token_ends_its_grant,
                the_tokens_of_a_disabled_application_say_so, what_is_kept_is_bounded;
            queue: events_are_queued_in_order, a_settled_bundle_is_gone_for_good,
                failures_are_kept_and_cleared, long_queues_survive_a_crash,
                reflow_keeps_one_order, reflow_takes_only_what_is_wanted,
                reflow_misses_nothing_published_meanwhile, reflow_is_coalesced,
                an_old_lease_is_fenced_off,
                a_deleted_endpoint_has_no_queue, work_is_announced, enabling_clears_failures,
                a_crash_at_any_point_keeps_the_queue, an_attempt_is_recorded_once,
                failures_do_not_begin_in_the_future;
            lanes: entries_leave_behind_the_head, the_window_is_bounded,
                failed_bundles_stay_together, a_crash_at_any_point_keeps_the_lanes,
                a_replay_goes_on_past_what_waits, an_attempt_of_a_lane_is_recorded_once;
            limits: turns_run_out_and_come_back, what_is_owed_is_taken_first,
                each_bucket_is_its_own, turns_survive, empty_buckets_are_forgotten;
            receiving: a_delivery_is_row_event_and_record_at_once, repeats_store_nothing,
                bodies_are_kept_once, pages_of_deliveries_are_bounded_by_bytes, large_cells_and_bodies_come_back_to_the_byte,
                deliveries_of_one_moment_stay_apart, deliveries_are_listed_newest_first,
                inspection_is_bounded_by_age, rejections_are_logged_in_bounds,
                refused_requests_are_kept_in_bounds, rows_are_appended_once,
                foreign_workspaces_see_no_deliveries, events_land_once;
            replays: slices_take_turns_with_live_events, replays_run_one_after_another,
                paused_and_cancelled_ones_stop_within_a_slice, only_the_next_slice_is_queued,
                scopes_select_what_they_say, what_was_missed_is_recovered_once,
                what_was_matched_before_enabling_is_recovered_however_late,
                late_events_are_recovered_for_whom_they_were_missed,
                open_replays_are_bounded, foreign_workspaces_see_no_replays;
            retention: old_events_go_and_are_forgotten, bytes_of_events_are_counted_for_each_workspace,
                queued_events_are_pinned,
                awaited_events_are_pinned, dead_letters_pin_their_events,
                dead_letters_are_bounded_in_bytes, bytes_are_bounded, old_attempts_go,
                a_crash_between_slices_is_harmless, nothing_goes_unless_asked;
            trash: a_trashed_dataset_is_in_no_list_and_goes_on,
                a_restored_dataset_is_in_its_folder_again, a_folder_goes_and_its_datasets_are_trashed,
                removed_folders_leave_the_trash_alone, a_full_project_restores_at_its_top,
                the_oldest_are_purged, foreign_projects_see_no_trash;
            versions: replaced_rows_can_be_read_and_restored, a_reader_of_a_version_is_not_disturbed,
                versions_are_bounded_by_count_and_bytes, many_rows_are_replaced_and_restored,
                many_replacements_at_once_keep_the_newest, versions_are_deleted,
                foreign_projects_see_no_versions;
        );
    };
    (@ $fixture:expr, $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = $fixture;
                $crate::contract::$module::$case(&fixture).await;
                // The cases of `checking` damage their stores.
                if stringify!($module) != "checking" {
                    $crate::contract::is_whole(&fixture).await;
                }
            }
        )+)+
    };
}
pub(crate) use suite;

pub(crate) const WS: WorkspaceId = WorkspaceId(1);
pub(crate) const OTHER_WS: WorkspaceId = WorkspaceId(2);
pub(crate) const PROJECT: ProjectId = ProjectId(4);
pub(crate) const ORDER_CREATE: EventTypeId = EventTypeId(22);
pub(crate) const ITEM_UPDATE: EventTypeId = EventTypeId(20);
pub(crate) const ALL: HeadLimit = HeadLimit { events: usize::MAX, bytes: usize::MAX };

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

pub(crate) fn new_workspace(id: WorkspaceId, merchant: &str) -> NewWorkspace {
    NewWorkspace {
        workspace: Workspace { id, merchant: merchant.to_owned(), name: merchant.to_owned() },
        project: Project { id: PROJECT, name: "Project".to_owned() },
        catalogue: catalogue::initial().clone(),
        credentials: vec![NewCredential::new(
            CredentialKind::Pair,
            Scopes::all(),
            [u8::try_from(id.0).unwrap(); 32],
            Some([9; 32]),
            at(0),
        )],
    }
}

/// A store with two workspaces.
pub(crate) async fn open(fixture: &dyn Fixture) -> SharedStore {
    let store = fixture.open().await;
    store.create_workspace(new_workspace(WS, "DEMO")).await.unwrap();
    store.create_workspace(new_workspace(OTHER_WS, "OTHER")).await.unwrap();
    store
}

pub(crate) fn subscribed(event_type: EventTypeId) -> Subscription {
    Subscription { event_type, active: true, expansion: None, comments: None, rule: None }
}

pub(crate) async fn endpoint(store: &SharedStore) -> Arc<Endpoint> {
    let settings = EndpointSettings::to_url("https://x.test/h");
    let subscriptions = vec![subscribed(ORDER_CREATE), subscribed(ITEM_UPDATE)];
    store.create_endpoint(WS, settings, subscriptions, at(0)).await.unwrap()
}

pub(crate) fn event(number: u64, matched: &[EndpointId]) -> NewEvent {
    NewEvent {
        event_type: ORDER_CREATE,
        id: format!("event-{number}"),
        source: "/shop".to_owned(),
        attributes: String::new(),
        object: Bytes::from(format!(r#"{{"order_id":"DEMO-{number}"}}"#)),
        matched: matched.to_vec(),
        matched_at: u64::MAX,
    }
}

/// Publishes events `numbers` one batch for the endpoint.
pub(crate) async fn publish(
    store: &SharedStore,
    numbers: impl IntoIterator<Item = u64>,
    endpoint: EndpointId,
) -> Vec<Receipt> {
    let events = numbers.into_iter().map(|number| event(number, &[endpoint])).collect();
    store.append(WS, events, at(0)).await.unwrap()
}

pub(crate) async fn claim(store: &SharedStore, endpoint: EndpointId) -> Lease {
    store.claim(endpoint).await.unwrap().unwrap()
}

/// The publisher's ids of the queued events, from the head.
pub(crate) async fn queued(store: &SharedStore, lease: &Lease) -> Vec<String> {
    let head = store.head(lease, ALL).await.unwrap();
    assert_eq!(head.missing, 0);
    assert_eq!(head.state.pending, head.entries.len() as u64);
    head.entries.iter().map(|queued| queued.event.id.clone()).collect()
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("event-{number}")).collect()
}

/// A successful attempt that delivers the events.
pub(crate) fn delivered(seqs: &[Seq], started_at: Timestamp) -> NewAttempt {
    NewAttempt {
        request_id: RequestId::new(&SystemEntropy, started_at),
        revision: 1,
        started_at,
        duration: Duration::from_millis(12),
        queue_delay: Duration::from_millis(34),
        events: seqs.to_vec(),
        entries: Vec::new(),
        event_types: vec![ORDER_CREATE],
        order_ids: vec!["DEMO-1".to_owned()],
        advance: u32::try_from(seqs.len()).unwrap(),
        park: false,
        refusals: 0,
        retry_at: None,
        failures: 0,
        url: "https://x.test/h".to_owned(),
        request_headers: vec![Header { name: "A".to_owned(), value: "b".to_owned() }],
        outcome: Outcome {
            status: Some(200),
            response_headers: Vec::new(),
            response: Some("ok".to_owned()),
            error: None,
        },
    }
}

/// An attempt that failed for the `failures`-th time in a row.
pub(crate) fn failed(seqs: &[Seq], started_at: Timestamp, failures: u32) -> NewAttempt {
    let outcome = Outcome { error: Some("connection refused".to_owned()), ..Outcome::default() };
    let retry_at = Some(started_at + jiff::SignedDuration::from_secs(5));
    NewAttempt { advance: 0, retry_at, failures, outcome, ..delivered(seqs, started_at) }
}

/// Delivers the first `count` queued events.
pub(crate) async fn deliver(store: &SharedStore, lease: &Lease, count: usize) {
    let head = store.head(lease, HeadLimit { events: count, ..ALL }).await.unwrap();
    let seqs: Vec<_> = head.entries.iter().map(|queued| queued.event.seq).collect();
    assert_eq!(seqs.len(), count);
    store.settle(lease, delivered(&seqs, at(1))).await.unwrap();
}

pub(crate) fn new_source(mode: Mode, key: &str) -> NewSource {
    NewSource {
        workspace: WS,
        project: PROJECT,
        name: "Source".to_owned(),
        mode,
        origins: "*".to_owned(),
        secret: Some(Secret::new("topsecret")),
        key: key.to_owned(),
        folder: None,
        options: SourceOptions::default(),
        previous: Previous::default(),
    }
}
