use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hookyard_core::entropy::SystemEntropy;
use hookyard_core::id::EndpointId;
use hookyard_core::model::{Mode, ReplayScope};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::check::Report;
use crate::contract::{self, Fixture, PROJECT, WS};
use crate::postgres::tests::{Place, options as database, sql};
use crate::sqlite::{self, SqliteStore};
use crate::{AttemptQuery, EventQuery, RowLimit, RowQuery, SharedStore, postgres};

/// A store that is embedded at first, and moved into a database at the next opening.
struct Mover {
    directory: TempDir,
    place: Place,
    opened: AtomicU32,
}

impl Mover {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        Self { directory, place: Place::new().await, opened: AtomicU32::new(0) }
    }

    fn embedded(&self) -> SharedStore {
        let path = self.directory.path().join("hookyard.db");
        let entropy = Arc::new(SystemEntropy);
        Arc::new(SqliteStore::open(sqlite::Options { path, key: [7; 32], entropy }).unwrap())
    }

    fn options(&self) -> Options {
        let postgres::Options { url, key, entropy, .. } = database(&self.place.name);
        let file = self.directory.path().join("hookyard.db");
        Options { file, mark: self.directory.path().join("move"), url, key, entropy }
    }

    async fn run(&self) -> Result<Moved, StoreError> {
        run(self.options(), &mut |_| Ok(())).await
    }

    /// Moves, a row at a time, and ends the move after so many steps. Returns the result of a move
    /// that finishes within the steps.
    async fn run_for(&self, steps: u64) -> Result<Option<Moved>, StoreError> {
        let mut left = steps;
        let stopped = || StoreError::Unavailable("enough".to_owned());
        let mut heard = |_: Progress<'_>| {
            left = left.checked_sub(1).ok_or_else(stopped)?;
            Ok(())
        };
        match run_in_batches(self.options(), 1, &mut heard).await {
            Ok(moved) => Ok(Some(moved)),
            Err(StoreError::Unavailable(reason)) if reason == "enough" => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn refused(&self) -> String {
        self.run().await.unwrap_err().to_string()
    }

    /// Waits until the store, which still runs in this process, has nothing to delete.
    async fn until_idle(&self) {
        while self.garbage() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    fn garbage(&self) -> i64 {
        let file = Connection::open(self.directory.path().join("hookyard.db")).unwrap();
        file.query_row("SELECT count(*) FROM garbage", [], |row| row.get(0)).unwrap()
    }

    /// Changes the file as no hookyard does.
    fn tamper(&self, statements: &str) {
        let file = Connection::open(self.directory.path().join("hookyard.db")).unwrap();
        file.execute_batch(statements).unwrap();
    }
}

#[async_trait]
impl Fixture for Mover {
    async fn open(&self) -> SharedStore {
        match self.opened.fetch_add(1, Ordering::Relaxed) {
            0 => return self.embedded(),
            1 => {
                self.until_idle().await;
                assert!(!self.run().await.unwrap().before);
            }
            _ => {}
        }
        self.place.open().await
    }

    async fn check(&self) -> Option<Report> {
        match self.opened.load(Ordering::Relaxed) {
            0 | 1 => None,
            _ => Fixture::check(&self.place).await,
        }
    }
}

// The contract for a store opened again also holds for a moved store. These are the cases that open a store
// again.
mod contract_of_a_move {
    use super::{Mover, contract};

    contract::suite!(@ Mover::new().await,
        applications: applications_live_and_survive, grants_are_listed_and_end;
        attempts: pages_are_newest_first;
        audit: changes_are_noted_with_who_made_them, entries_go_by_age_and_bytes;
        catalog: endpoints_live_and_survive, stale_revisions_are_refused,
            disabling_keeps_its_reason, event_types_are_added_for_good;
        credentials: revoked_ones_stay_revoked;
        dataset_rows: batches_are_suspended_restored_and_deleted;
        datasets: switching_to_replace_hides_many_rows, sources_and_datasets_live_apart,
            rows_survive, settings_change_by_revision, numbers_are_not_used_again;
        dead_letters: a_parked_event_leaves_the_queue,
            redelivered_letters_are_queued_last_in_one_order, letters_are_dropped_by_number,
            foreign_workspaces_see_no_letters, refusals_survive_until_the_event_leaves;
        folders: folders_hold_datasets_and_folders, jobs_are_kept_and_bounded;
        journal: events_read_back, duplicates_are_recognised, events_are_found_by_id;
        lanes: entries_leave_behind_the_head, the_window_is_bounded,
            failed_bundles_stay_together, a_crash_at_any_point_keeps_the_lanes,
            a_replay_goes_on_past_what_waits;
        limits: turns_survive;
        oauth: a_code_is_good_once_and_its_reuse_ends_the_grant,
            a_refresh_token_is_good_once_and_its_reuse_ends_the_family,
            a_device_waits_for_its_person;
        queue: events_are_queued_in_order, a_settled_bundle_is_gone_for_good,
            failures_are_kept_and_cleared, long_queues_survive_a_crash, reflow_keeps_one_order,
            reflow_takes_only_what_is_wanted, reflow_is_coalesced,
            a_deleted_endpoint_has_no_queue, work_is_announced, enabling_clears_failures,
            a_crash_at_any_point_keeps_the_queue;
        receiving: a_delivery_is_row_event_and_record_at_once, repeats_store_nothing,
            large_cells_and_bodies_come_back_to_the_byte, deliveries_of_one_moment_stay_apart,
            rejections_are_logged_in_bounds, events_land_once;
        replays: slices_take_turns_with_live_events,
            paused_and_cancelled_ones_stop_within_a_slice, only_the_next_slice_is_queued,
            what_was_missed_is_recovered_once;
        retention: old_events_go_and_are_forgotten,
            bytes_of_events_are_counted_for_each_workspace, queued_events_are_pinned,
            dead_letters_are_bounded_in_bytes, bytes_are_bounded,
            old_attempts_go, a_crash_between_slices_is_harmless;
        trash: a_trashed_dataset_is_in_no_list_and_goes_on,
            a_restored_dataset_is_in_its_folder_again;
        sources: every_setting_is_kept, a_verification_is_kept_with_its_secrets,
            a_new_key_takes_the_place;
        tenants: workspaces_are_unique, tenants_get_other_names, projects_are_numbered_and_bounded,
            a_project_goes_when_it_is_empty;
        versions: replaced_rows_can_be_read_and_restored, versions_are_bounded_by_count_and_bytes,
            many_rows_are_replaced_and_restored, many_replacements_at_once_keep_the_newest;
    );
}

/// An embedded store with something in every growing table, not closed, as after a crash.
async fn filled(mover: &Mover) -> (SharedStore, EndpointId) {
    let store = mover.embedded();
    for (id, merchant) in [(WS, "DEMO"), (contract::OTHER_WS, "OTHER")] {
        store.create_workspace(contract::new_workspace(id, merchant)).await.unwrap();
    }
    let endpoint = contract::endpoint(&store).await.id;
    contract::publish(&store, 0..10, endpoint).await;
    let lease = contract::claim(&store, endpoint).await;
    contract::deliver(&store, &lease, 4).await;
    // A receiver may answer with characters that a database's text may not have.
    let head = store.head(&lease, contract::ALL).await.unwrap();
    let mut refused = contract::failed(&[head.entries[0].event.seq], contract::at(5), 1);
    refused.outcome.response = Some("\0\u{1}\u{8}\t\n\u{b}\u{c}\r\\.\u{7f}é\u{1f600}".to_owned());
    store.settle(&lease, refused).await.unwrap();
    let application = contract::applications::application(&store).await;
    contract::applications::granted(&store, application.id, 1).await;
    for (mode, key) in [(Mode::Combine, "a"), (Mode::Replace, "b")] {
        let source = store.create_source(contract::new_source(mode, key), contract::at(0)).await;
        let source = source.unwrap();
        for cell in ["1", "\"a\\u0000\\\\b\\n\"", "{\"c\": [2]}"] {
            store.receive(source.id, cell.into(), contract::at(1)).await.unwrap();
        }
    }
    let everything = ReplayScope {
        event_types: vec![contract::ORDER_CREATE],
        from: None,
        until: None,
        rule: None,
        missed_only: false,
    };
    store.start_replay(WS, endpoint, everything, contract::at(2)).await.unwrap();
    (store, endpoint)
}

/// The state that two stores must agree on, as text.
async fn seen(store: &SharedStore, endpoint: EndpointId) -> Vec<String> {
    let mut seen = Vec::new();
    for workspace in store.workspaces().await.unwrap() {
        seen.push(format!("{workspace:?} {:?}", store.projects(workspace.id).await.unwrap()));
        seen.push(format!("{:?}", store.endpoints(workspace.id).await.unwrap()));
        seen.push(format!("{:?}", store.sources(workspace.id, PROJECT).await.unwrap()));
    }
    let events =
        EventQuery { after: None, before: None, event_type: None, newest_first: false, limit: 100 };
    seen.push(format!("{:?}", store.events(WS, events).await.unwrap().entries));
    let attempts = AttemptQuery { limit: 100, ..AttemptQuery::default() };
    seen.push(format!("{:?}", store.attempts(WS, endpoint, attempts).await.unwrap().entries));
    seen.push(format!("{:?}", store.replays(WS, endpoint).await.unwrap()));
    seen.push(format!("{:?}", store.queue_states(WS, &[endpoint]).await.unwrap()));
    for source in store.sources(WS, PROJECT).await.unwrap() {
        let (query, limit) = (RowQuery::default(), RowLimit::NONE);
        let rows = store.rows_after(WS, PROJECT, source.dataset, query, limit).await.unwrap();
        seen.push(format!("{:?}", rows.rows));
        let versions = store.versions(WS, PROJECT, source.dataset).await.unwrap();
        seen.push(format!("{versions:?}"));
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_ended_anywhere_goes_on_where_it_was() {
    let mover = Mover::new().await;
    let (store, endpoint) = filled(&mover).await;
    let before = std::fs::read(mover.directory.path().join("hookyard.db")).unwrap();
    let expected = seen(&store, endpoint).await;
    // More and more steps at a time, so that each part is ended early and late.
    let mut steps = 0;
    let moved = loop {
        if let Some(moved) = mover.run_for(steps).await.unwrap() {
            break moved;
        }
        let mark = Mark::read(&mover.options().mark).unwrap().unwrap();
        assert!(!mark.finished);
        let refused = postgres::PostgresStore::open(database(&mover.place.name)).await;
        assert!(refused.unwrap_err().to_string().contains("`hookyard migrate`"));
        steps += 7;
    };
    assert!(steps > 50 && !moved.before, "{steps}");
    let rows = |name: &str| moved.tables.iter().find(|table| table.name == name).unwrap().rows;
    assert_eq!((rows("journal"), rows("attempts"), rows("rows")), (10, 2, 6));
    assert!(moved.tables.iter().all(|table| table.checksum.len() == 32));
    assert!(Mark::read(&mover.options().mark).unwrap().unwrap().finished);
    let after = std::fs::read(mover.directory.path().join("hookyard.db")).unwrap();
    assert!(before == after, "the file was written to");

    let again = mover.run().await.unwrap();
    assert!(again.before && again.tables == moved.tables);
    let there: SharedStore = mover.place.open().await;
    assert_eq!(seen(&there, endpoint).await, expected);
    let lease = contract::claim(&there, endpoint).await;
    assert_eq!(contract::queued(&there, &lease).await, contract::ids(4..10));
    assert!(contract::applications::opens(&there, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_go_on_where_they_were() {
    let mover = Mover::new().await;
    let (store, endpoint) = filled(&mover).await;
    // The newest records of each kind are gone, with the numbers.
    let gone = contract::endpoint(&store).await;
    store.delete_endpoint(WS, gone.id, None).await.unwrap();
    let source = contract::new_source(Mode::Combine, "c");
    let source = store.create_source(source, contract::at(0)).await.unwrap();
    let row = store.receive(source.id, "1".into(), contract::at(0)).await.unwrap();
    store.delete_dataset(WS, PROJECT, source.dataset).await.unwrap();
    mover.run().await.unwrap();

    let there: SharedStore = mover.place.open().await;
    assert!(contract::endpoint(&there).await.id > gone.id);
    let new = contract::new_source(Mode::Combine, "d");
    let new = there.create_source(new, contract::at(0)).await.unwrap();
    assert!(new.id > source.id && new.dataset > source.dataset);
    let next = there.receive(new.id, "1".into(), contract::at(0)).await.unwrap();
    assert!(next.batch > row.batch);
    let receipts = contract::publish(&there, 10..11, endpoint).await;
    assert_eq!(receipts[0].seq.0, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_empty_database_takes_a_move() {
    let mover = Mover::new().await;
    filled(&mover).await;
    let store: SharedStore = mover.place.open().await;
    assert!(mover.refused().await.contains("a hookyard server uses the database"));
    store.create_workspace(contract::new_workspace(WS, "DEMO")).await.unwrap();
    store.close().await.unwrap();
    assert!(mover.refused().await.contains("not empty"));
    assert_eq!(Mark::read(&mover.options().mark).unwrap(), None, "nothing was begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_move_is_told_from_this_one() {
    let mover = Mover::new().await;
    filled(&mover).await;
    mover.run_for(20).await.unwrap();
    std::fs::remove_file(mover.options().mark).unwrap();
    assert!(mover.refused().await.contains("use an empty database"));
    assert_eq!(Mark::read(&mover.options().mark).unwrap(), None);

    // The same directory begins anew with another database.
    let other = Mover { place: Place::new().await, ..mover };
    other.run().await.unwrap();
    std::fs::remove_file(other.options().mark).unwrap();
    assert!(other.refused().await.contains("not empty"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_under_a_move_is_found() {
    let mover = Mover::new().await;
    filled(&mover).await;
    let mut done = false;
    let mut heard = |progress: Progress<'_>| {
        if matches!(progress, Progress::Comparing { .. }) && !std::mem::replace(&mut done, true) {
            mover.tamper("UPDATE sources SET name = 'new'");
        }
        Ok(())
    };
    let moved = run(mover.options(), &mut heard);
    let message = moved.await.unwrap_err().to_string();
    assert!(message.contains("changed while it was moved"), "{message}");
    let message = mover.refused().await;
    assert!(message.contains("the table sources has 2 rows"), "{message}");

    let mover = Mover::new().await;
    filled(&mover).await;
    mover.run_for(40).await.unwrap();
    sql(&mover.place.name, "UPDATE workspaces SET name = 'other'").await;
    assert!(mover.refused().await.contains("the table workspaces"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_format_or_key_is_refused() {
    let mover = Mover::new().await;
    filled(&mover).await;
    let options = Options { key: [8; 32], ..mover.options() };
    let message = run(options, &mut |_| Ok(())).await.unwrap_err().to_string();
    assert!(message.contains("encryption key"), "{message}");
    let newest = "(SELECT max(version) FROM migrations)";
    mover.tamper(&format!("INSERT INTO migrations SELECT 99, 'x' FROM {newest}"));
    assert!(mover.refused().await.contains("use the newer hookyard"));
    mover.tamper(&format!("DELETE FROM migrations WHERE version >= {newest} - 1"));
    mover.tamper(&format!("DELETE FROM migrations WHERE version = {newest}"));
    assert!(mover.refused().await.contains("start `hookyard serve` of this version"));
    assert_eq!(Mark::read(&mover.options().mark).unwrap(), None, "nothing was begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_and_column_of_both_schemas_is_known() {
    let mover = Mover::new().await;
    mover.embedded().close().await.unwrap();
    let planned = async |mover: &Mover| {
        let Options { file, key, url, .. } = mover.options();
        let source = Leaving::open(&file, &key).unwrap();
        let target = Arriving::open(url.expose()).await.unwrap();
        plan::sequences(&target.sequences().await.unwrap())?;
        plan::tables(&source.tables().unwrap(), &target.tables().await.unwrap())
    };
    planned(&mover).await.expect("say in plan.rs how what is new in a schema is moved");
    for (embedded, shared, what) in [
        ("CREATE TABLE colours (id INTEGER PRIMARY KEY)", "", "the table colours"),
        ("ALTER TABLE rows ADD COLUMN colour TEXT", "", "the column colour of the table rows"),
        ("ALTER TABLE queues ADD COLUMN colour TEXT", "", "the column colour of the table queues"),
        ("", "ALTER TABLE journal ADD COLUMN colour text", "journal.colour"),
        ("", "ALTER TABLE queues ADD COLUMN colour text DEFAULT ''", "queues.colour"),
        ("", "ALTER TABLE audit ALTER COLUMN action TYPE json USING '{}'", "the type json"),
        ("", "DROP TABLE landed", "where the table landed is"),
        ("", "CREATE SEQUENCE colours", "the sequence colours"),
    ] {
        let mover = Mover::new().await;
        mover.embedded().close().await.unwrap();
        mover.tamper(embedded);
        sql(&mover.place.name, shared).await;
        let message = planned(&mover).await.unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}
