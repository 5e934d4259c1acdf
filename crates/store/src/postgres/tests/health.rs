//! Whether a node tells its health truly, and stops when it must not go on.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_leaves_nothing_and_waits_for_no_backup() {
    let place = Place::new().await;
    let store = place.open().await;
    // As `pg_dump` does, for as long as it takes.
    let backup = store.db.begin().await.unwrap();
    for row in backup
        .query(
            "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') \
        AND relnamespace = current_schema()::regnamespace",
            &[],
        )
        .await
        .unwrap()
    {
        let table: String = row.get_as(0).unwrap();
        backup.batch(&format!("LOCK TABLE {table} IN ACCESS SHARE MODE")).await.unwrap();
    }
    let tables = "SELECT count(*) FROM pg_class";
    let before = number(&place.name, tables).await;
    for _ in 0..3 {
        store.health().await.unwrap();
    }
    assert_eq!(number(&place.name, tables).await, before);
    backup.roll_back().await.unwrap();
    // A read-only database does not take publishes.
    let name = &place.name;
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    sql(name, &read_only).await;
    store.db.forget_idle();
    assert!(matches!(store.health().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_are_not_found_any_more_are_no_fault_of_ours() {
    let place = Place::new().await;
    let shared = contract::open(&place).await;
    let store = place.last.lock().unwrap().clone().unwrap();
    let name = &place.name;
    sql(name, &format!("ALTER DATABASE {name} SET search_path = elsewhere")).await;
    for call in 0..3 {
        // A connection made before may still be in use, and come back.
        let refused = async {
            loop {
                store.db.forget_idle();
                let events = vec![contract::event(1, &[])];
                let done = match call {
                    0 => shared.append(contract::WS, events, contract::at(0)).await.map(drop),
                    1 => shared.health().await,
                    _ => shared.workspaces().await.map(drop),
                };
                if let Err(error) = done {
                    return error;
                }
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(30), refused).await.unwrap();
        let StoreError::Unavailable(reason) = refused else { panic!("{refused:?}") };
        assert!(
            reason.contains("search_path") && reason.contains("42P01") || call == 1,
            "{reason}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_stops_when_a_newer_format_that_it_would_damage_is_recorded() {
    let place = Place::new().await;
    let lease = Duration::from_secs(1);
    let options = Options { lease, ..options(&place.name) };
    let store = PostgresStore::open(options.clone()).await.unwrap();
    let newer = migrate::MIGRATIONS.len() + 1;
    // A format that this node may serve beside.
    sql(&place.name, &format!("INSERT INTO migrations VALUES ({newer}, 'x', 1)")).await;
    let (renewed, patience) = (3 * lease, Duration::from_secs(30));
    assert!(tokio::time::timeout(renewed, store.failed()).await.is_err());
    store.health().await.unwrap();
    // And a format that this node may not serve beside.
    sql(&place.name, &format!("UPDATE migrations SET oldest = {newer} WHERE version = {newer}"))
        .await;
    let reason = tokio::time::timeout(patience, store.failed()).await.unwrap();
    assert!(reason.contains("run the newer one"), "{reason}");
    assert!(matches!(store.health().await, Err(StoreError::Unavailable(_))));
    assert!(PostgresStore::open(options).await.is_err());
}
