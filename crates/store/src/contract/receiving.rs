use hookyard_core::id::{BatchId, DatasetId, DeliveryId, SourceId};
use hookyard_core::model::{
    Cause, Delivery, KeptBody, KeptRequest, LoggedRejection, NewDelivery, NewRejection,
    RefusedRequest, SourceChange, SourceOptionsChange,
};

use super::*;
use crate::{
    Accepted, BatchQuery, Newest, PAGE_BYTES_MAX, REFUSED_KEPT, REJECTIONS_KEPT, REPEATS_FOR,
    RowLimit, RowQuery, StoreError,
};

fn delivery(source: SourceId, cell: &str) -> NewDelivery {
    let request = KeptRequest {
        method: "POST".to_owned(),
        query: "a=1".to_owned(),
        headers: vec![Header { name: "x-a".to_owned(), value: "b".to_owned() }],
        address: Some([10, 0, 0, 1].into()),
        bytes: cell.len() as u64,
        body: KeptBody::Cell,
    };
    NewDelivery {
        source,
        cell: Some(Bytes::from(cell.to_owned())),
        event: None,
        repeat: None,
        request: Some(request),
    }
}

async fn rows(store: &SharedStore, dataset: DatasetId) -> Vec<(BatchId, Bytes)> {
    let page = store.rows_after(WS, PROJECT, dataset, RowQuery::default(), RowLimit::NONE).await;
    page.unwrap().rows.into_iter().map(|row| (row.batch, row.cell)).collect()
}

async fn listed(store: &SharedStore, source: SourceId) -> Vec<Delivery> {
    store.deliveries(WS, source, Newest { before: None, limit: 100 }).await.unwrap().entries
}

pub(crate) async fn a_delivery_is_row_event_and_record_at_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let endpoint = endpoint(&store).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let event = Some(event(7, &[endpoint.id]));
    let new = NewDelivery { event, ..delivery(source.id, r#"{"order_id":"DEMO-7"}"#) };
    let accepted = store.accept(new, at(5)).await.unwrap();
    let Accepted::Stored { batch: Some(batch), event: Some(receipt) } = accepted else {
        panic!("{accepted:?}");
    };
    assert_eq!((receipt.matched, receipt.duplicate), (1, false));
    for store in [store, fixture.open().await] {
        assert_eq!(
            rows(&store, source.dataset).await,
            [(batch, r#"{"order_id":"DEMO-7"}"#.into())]
        );
        let lease = claim(&store, endpoint.id).await;
        assert_eq!(queued(&store, &lease).await, ids([7]));
        let kept = listed(&store, source.id).await;
        assert_eq!((kept[0].batch, kept[0].event), (Some(batch), Some(receipt.seq)));
        assert_eq!((kept[0].method.as_str(), kept[0].query.as_str()), ("POST", "a=1"));
        assert_eq!((kept[0].received_at, kept[0].bytes), (at(5), 21));
        assert_eq!(kept[0].address, Some([10, 0, 0, 1].into()));
        assert_eq!(kept[0].headers[0].name, "x-a");
    }
}

pub(crate) async fn repeats_store_nothing(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let named = |name| NewDelivery { repeat: Some([name; 16]), ..delivery(source.id, "1") };
    let repeated = async |store: &SharedStore, name, now| {
        store.accept(named(name), now).await.unwrap() == Accepted::Repeat
    };
    assert!(!repeated(&store, 1, at(0)).await);
    assert!(!repeated(&store, 2, at(0)).await);
    assert!(repeated(&store, 1, at(1)).await);
    // Many at once: a single delivery is stored.
    let together = (0..50).map(|_| {
        let (store, new) = (Arc::clone(&store), named(3));
        tokio::spawn(async move { store.accept(new, at(1)).await.unwrap() == Accepted::Repeat })
    });
    let mut stored = 0;
    for delivery in together.collect::<Vec<_>>() {
        stored += u32::from(!delivery.await.unwrap());
    }
    assert_eq!(stored, 1);
    let store = fixture.open().await;
    assert!(repeated(&store, 1, at(2)).await && repeated(&store, 3, at(2)).await);
    assert_eq!(rows(&store, source.dataset).await.len(), 3);
    assert_eq!(listed(&store, source.id).await.len(), 3);
    assert!(!repeated(&store, 1, at(REPEATS_FOR.as_secs())).await, "known for a day");
    assert!(repeated(&store, 1, at(REPEATS_FOR.as_secs() + 1)).await);
}

pub(crate) async fn bodies_are_kept_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let with = |body| {
        let mut new = delivery(source.id, "[1]");
        new.request.as_mut().unwrap().body = body;
        new
    };
    for body in [KeptBody::Cell, KeptBody::Own(Bytes::from_static(b" [1]\xff")), KeptBody::None] {
        store.accept(with(body), at(1)).await.unwrap();
    }
    let nothing = NewDelivery { cell: None, ..with(KeptBody::Own(Bytes::new())) };
    let stored = store.accept(nothing, at(1)).await.unwrap();
    assert_eq!(stored, Accepted::Stored { batch: None, event: None });
    let kept = listed(&store, source.id).await;
    let mut bodies = Vec::new();
    for delivery in &kept {
        let (same, body) = store.delivery(WS, source.id, delivery.id).await.unwrap().unwrap();
        assert_eq!(&same, delivery);
        bodies.push(body);
    }
    let expected: [Option<&[u8]>; 4] = [Some(b""), None, Some(b" [1]\xff"), Some(b"[1]")];
    assert_eq!(bodies.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    assert_eq!(store.delivery(WS, source.id, DeliveryId(999)).await.unwrap(), None);
}

pub(crate) async fn large_cells_and_bodies_come_back_to_the_byte(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let combine = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let replace = store.create_source(new_source(Mode::Replace, "b"), at(0)).await.unwrap();
    let items = |count: usize| {
        let items: Vec<_> = (0..count).map(|n| format!(r#"{{"sku":"é-{n}"}}"#)).collect();
        format!("[{}]", items.join(","))
    };
    let noise: String = (0..20_000_u32)
        .map(|n| char::from(b'!' + n.wrapping_mul(2_654_435_761).to_be_bytes()[0] % 90))
        .filter(|c| !matches!(c, '"' | '\\'))
        .collect();
    let cells = [items(3), items(300), items(80_000), format!("\"{noise}\"")];
    for cell in &cells {
        store.accept(delivery(combine.id, cell), at(1)).await.unwrap();
        let mut new = delivery(replace.id, cell);
        new.request.as_mut().unwrap().body = KeptBody::Own(new.cell.clone().unwrap());
        store.accept(new, at(1)).await.unwrap();
        let mut form = delivery(replace.id, "{}");
        form.request.as_mut().unwrap().body = KeptBody::Own(format!("a={cell}").into());
        store.accept(form, at(1)).await.unwrap();
    }
    let store = fixture.open().await;
    let read: Vec<_> = rows(&store, combine.dataset).await.into_iter().map(|row| row.1).collect();
    assert_eq!(read, cells.each_ref().map(|cell| Bytes::from(cell.clone())));
    let query = BatchQuery {
        state: None,
        after: None,
        from: None,
        until: None,
        newest_first: false,
        offset: 0,
        limit: 9,
    };
    let batches = store.batches(WS, PROJECT, combine.dataset, query).await.unwrap();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.bytes).collect();
    assert_eq!(sizes, cells.each_ref().map(|cell| cell.len() as u64));
    let mut bodies = Vec::new();
    for source in [combine.id, replace.id] {
        for kept in listed(&store, source).await.into_iter().rev() {
            bodies.push(store.delivery(WS, source, kept.id).await.unwrap().unwrap().1.unwrap());
        }
    }
    let own = cells.iter().flat_map(|cell| [cell.clone(), format!("a={cell}")]);
    let expected: Vec<_> = cells.iter().cloned().chain(own).map(Bytes::from).collect();
    assert!(bodies == expected, "of {:?} bytes", bodies.iter().map(Bytes::len).collect::<Vec<_>>());
}

pub(crate) async fn deliveries_of_one_moment_stay_apart(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let one = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let two = store.create_source(new_source(Mode::Replace, "b"), at(0)).await.unwrap();
    let body = |n: u32| match n % 3 {
        0 => KeptBody::Cell,
        1 => KeptBody::Own(Bytes::from(n.to_string().repeat(1 + n as usize * 20))),
        _ => KeptBody::None,
    };
    let sent = (0..300_u32).map(|n| {
        let store = Arc::clone(&store);
        // In replace mode no body is the row's.
        let source = if n % 3 == 0 || n % 2 == 0 { one.id } else { two.id };
        let mut new = delivery(source, &n.to_string());
        let request = new.request.as_mut().unwrap();
        (request.query, request.body) = (n.to_string(), body(n));
        tokio::spawn(async move { (n, store.accept(new, at(i64::from(n))).await.unwrap()) })
    });
    let mut accepted = Vec::new();
    for sent in sent.collect::<Vec<_>>() {
        let (n, Accepted::Stored { batch, .. }) = sent.await.unwrap() else { panic!("a repeat") };
        accepted.push((n, batch));
    }
    let store = fixture.open().await;
    let mut found = Vec::new();
    for source in [one.id, two.id] {
        let mut before = None;
        loop {
            let page =
                store.deliveries(WS, source, Newest { before, limit: 7 }).await.unwrap().entries;
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            for listed in page {
                let n: u32 = listed.query.parse().unwrap();
                assert_eq!(listed.received_at, at(i64::from(n)));
                let (same, read) = store.delivery(WS, source, listed.id).await.unwrap().unwrap();
                assert_eq!(same, listed);
                let expected = match body(n) {
                    KeptBody::Cell => Some(Bytes::from(n.to_string())),
                    KeptBody::Own(own) => Some(own),
                    KeptBody::None => None,
                };
                assert_eq!(read, expected);
                found.push((n, listed.batch));
            }
        }
    }
    found.sort();
    assert_eq!(found, accepted);
}

pub(crate) async fn deliveries_are_listed_newest_first(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let other = store.create_source(new_source(Mode::Combine, "b"), at(0)).await.unwrap();
    for number in 0..7 {
        store.accept(delivery(source.id, &number.to_string()), at(number / 3)).await.unwrap();
        store.accept(delivery(other.id, "0"), at(number)).await.unwrap();
    }
    let (mut before, mut ids) = (None, Vec::new());
    loop {
        let page =
            store.deliveries(WS, source.id, Newest { before, limit: 2 }).await.unwrap().entries;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        ids.extend(page.iter().map(|delivery| delivery.id.0));
    }
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
}

pub(crate) async fn pages_of_deliveries_are_bounded_by_bytes(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    for number in 0..4 {
        let mut new = delivery(source.id, &number.to_string());
        new.request.as_mut().unwrap().query = "x".repeat(PAGE_BYTES_MAX * 2 / 5);
        store.accept(new, at(number)).await.unwrap();
    }
    let page = store.deliveries(WS, source.id, Newest { before: None, limit: 9 }).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (2, true));
    let before = page.entries.last().map(|delivery| delivery.id);
    let page = store.deliveries(WS, source.id, Newest { before, limit: 9 }).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (2, false));
}

pub(crate) async fn inspection_is_bounded_by_age(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let short = store.create_source(new_source(Mode::Combine, "b"), at(0)).await.unwrap();
    let options =
        SourceOptionsChange { inspection_seconds: Some(10), ..SourceOptionsChange::default() };
    let change = SourceChange { options, ..SourceChange::default() };
    store.update_source(WS, PROJECT, short.id, change).await.unwrap();
    for second in 0..20 {
        store.accept(delivery(source.id, "1"), at(second)).await.unwrap();
        store.accept(delivery(short.id, "1"), at(second)).await.unwrap();
    }
    assert_eq!(store.expire_inspection(at(19)).await.unwrap(), 10);
    assert_eq!(store.expire_inspection(at(19)).await.unwrap(), 0);
    assert_eq!(listed(&store, source.id).await.len(), 20);
    assert_eq!(listed(&store, short.id).await.len(), 10);
    // Rows stay, and the leftovers of absent sources go too.
    assert_eq!(rows(&store, short.dataset).await.len(), 20);
    assert!(store.delete_source(WS, PROJECT, short.id).await.unwrap());
    assert_eq!(store.expire_inspection(at(19)).await.unwrap(), 10);
}

fn rejected(source: SourceId, count: u64) -> NewRejection {
    NewRejection {
        source,
        first_at: at(1),
        last_at: at(2),
        count,
        cause: Cause::Proof,
        detail: "the secret is wrong".to_owned(),
        method: "POST".to_owned(),
        address: Some([10, 0, 0, 1].into()),
    }
}

/// A line without a request.
fn bare(line: NewRejection) -> LoggedRejection {
    LoggedRejection { line, request: None }
}

fn refused(target: String) -> RefusedRequest {
    let headers = vec![Header { name: "x-a".to_owned(), value: "a-canary".to_owned() }];
    let body = Bytes::from_static(b"\0\xff{}");
    RefusedRequest { target, headers, bytes: Some(body.len() as u64), body: Some(body) }
}

pub(crate) async fn refused_requests_are_kept_in_bounds(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let options = SourceOptions { inspection_seconds: 10, ..SourceOptions::default() };
    let new = NewSource { options, ..new_source(Mode::Combine, "a") };
    let source = store.create_source(new, at(0)).await.unwrap();
    let other = store.create_source(new_source(Mode::Combine, "b"), at(0)).await.unwrap();
    let line = |n: u64| LoggedRejection {
        line: rejected(source.id, n),
        request: Some(refused(format!("/{n}"))),
    };
    let mut lines: Vec<_> = (1..=REFUSED_KEPT + 5).map(line).collect();
    lines.push(bare(rejected(source.id, 99)));
    store.log_rejections(lines).await.unwrap();
    let store = fixture.open().await;
    let all = Newest { before: None, limit: 100 };
    let page = store.rejections(WS, source.id, all).await.unwrap();
    let kept = page.iter().filter(|line| line.has_request).map(|line| line.line.count);
    assert_eq!(kept.collect::<Vec<_>>(), (6..=REFUSED_KEPT + 5).rev().collect::<Vec<_>>());
    let newest = page[1].id;
    let (found, request) = store.rejection(WS, source.id, newest).await.unwrap().unwrap();
    assert_eq!(
        (found, request),
        (page[1].clone(), Some(refused(format!("/{}", REFUSED_KEPT + 5))))
    );
    let bare = store.rejection(WS, source.id, page[0].id).await.unwrap().unwrap();
    assert_eq!(bare, (page[0].clone(), None));
    // Of another workspace or another source there is none.
    assert!(store.rejection(OTHER_WS, source.id, newest).await.unwrap().is_none());
    assert!(store.rejection(WS, other.id, newest).await.unwrap().is_none());
    // The requests go with the copies kept for inspection, and the lines stay.
    store.expire_inspection(at(12)).await.unwrap();
    let page = store.rejections(WS, source.id, all).await.unwrap();
    assert_eq!(page.len() as u64, REFUSED_KEPT + 6);
    assert!(page.iter().all(|line| !line.has_request));
    assert_eq!(store.rejection(WS, source.id, newest).await.unwrap().unwrap().1, None);
}

pub(crate) async fn rows_are_appended_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Replace, "a"), at(0)).await.unwrap();
    store.accept(delivery(source.id, "0"), at(1)).await.unwrap();
    let cells = |texts: [&'static str; 2]| texts.map(|text| Bytes::from_static(text.as_bytes()));
    let append = async |cells: [Bytes; 2], repeat| {
        store.append_rows(WS, source.dataset, cells.to_vec(), repeat, at(2)).await
    };
    let added = append(cells(["1", "2"]), Some([7; 16])).await.unwrap().unwrap();
    assert_eq!(append(cells(["1", "2"]), Some([7; 16])).await.unwrap(), None);
    append(cells(["3", "4"]), None).await.unwrap().unwrap();
    let found = rows(&store, source.dataset).await;
    let texts: Vec<_> = found.iter().map(|(_, cell)| &cell[..]).collect();
    assert_eq!(texts, [b"0", b"1", b"2", b"3", b"4"], "whatever the mode of the source");
    assert_eq!(added, [found[1].0, found[2].0]);
    let one = vec![Bytes::from_static(b"1")];
    let foreign = store.append_rows(OTHER_WS, source.dataset, one, None, at(2)).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(_))));
    // The name is remembered as long as a delivery's key, through a start, and no longer.
    let store = fixture.open().await;
    let again = async |now| {
        let cells = cells(["5", "6"]).to_vec();
        store.append_rows(WS, source.dataset, cells, Some([7; 16]), now).await.unwrap()
    };
    assert_eq!(again(at(3)).await, None);
    assert!(again(at(3) + REPEATS_FOR).await.is_some());
}

pub(crate) async fn rejections_are_logged_in_bounds(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let lines = (1..=5).map(|count| bare(rejected(source.id, count))).collect();
    store.log_rejections(lines).await.unwrap();
    let store = fixture.open().await;
    let page = store.rejections(WS, source.id, Newest { before: None, limit: 3 }).await.unwrap();
    assert_eq!(page.iter().map(|line| line.line.count).collect::<Vec<_>>(), [5, 4, 3]);
    assert_eq!(page[0].line, rejected(source.id, 5));
    let before = page.last().map(|line| line.id);
    let page = store.rejections(WS, source.id, Newest { before, limit: 3 }).await.unwrap();
    assert_eq!(page.iter().map(|line| line.line.count).collect::<Vec<_>>(), [2, 1]);

    let many = (0..REJECTIONS_KEPT).map(|_| bare(rejected(source.id, 9))).collect();
    store.log_rejections(many).await.unwrap();
    let all = Newest { before: None, limit: usize::MAX };
    let page = store.rejections(WS, source.id, all).await.unwrap();
    assert_eq!(page.len() as u64, REJECTIONS_KEPT);
    assert!(page.iter().all(|line| line.line.count == 9));
    let later = at(2) + crate::REJECTIONS_FOR;
    while store.expire_inspection(later).await.unwrap() > 0 {}
    assert!(store.rejections(WS, source.id, all).await.unwrap().is_empty());
}

pub(crate) async fn foreign_workspaces_see_no_deliveries(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    store.accept(delivery(source.id, "1"), at(1)).await.unwrap();
    store.log_rejections(vec![bare(rejected(source.id, 1))]).await.unwrap();
    let id = listed(&store, source.id).await[0].id;
    let page = Newest { before: None, limit: 9 };
    assert!(store.deliveries(OTHER_WS, source.id, page).await.unwrap().entries.is_empty());
    assert!(store.delivery(OTHER_WS, source.id, id).await.unwrap().is_none());
    let page = Newest { before: None, limit: 9 };
    assert!(store.rejections(OTHER_WS, source.id, page).await.unwrap().is_empty());
    let gone = store.accept(delivery(SourceId(99), "1"), at(1)).await;
    assert!(matches!(gone, Err(StoreError::NotFound(_))));
}

pub(crate) async fn events_land_once(fixture: &dyn Fixture) {
    let store = open(fixture).await;
    let (one, two) = (endpoint(&store).await.id, endpoint(&store).await.id);
    let source = store.create_source(new_source(Mode::Combine, "a"), at(0)).await.unwrap();
    let seqs: Vec<_> = publish(&store, 0..4, one).await.iter().map(|receipt| receipt.seq).collect();
    let land = async |store: &SharedStore, workspace, by, seqs: &[Seq]| {
        let rows = seqs.iter().map(|seq| (*seq, Bytes::from(seq.to_string()))).collect();
        store.land(workspace, source.dataset, by, rows, at(1)).await
    };
    assert_eq!(land(&store, WS, one, &seqs[..2]).await.unwrap(), 2);
    let store = fixture.open().await;
    assert_eq!(land(&store, WS, one, &seqs[1..]).await.unwrap(), 2, "one of them landed before");
    assert_eq!(land(&store, WS, two, &seqs[..1]).await.unwrap(), 1, "each endpoint by itself");
    let cells: Vec<_> = rows(&store, source.dataset).await.into_iter().map(|(_, c)| c).collect();
    let expected = [seqs[0], seqs[1], seqs[2], seqs[3], seqs[0]].map(|seq| seq.to_string());
    assert_eq!(cells, expected);
    let foreign = land(&store, OTHER_WS, one, &seqs).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(_))));
    assert_eq!(rows(&store, source.dataset).await.len(), 5);
    assert_eq!(store.expire_inspection(at(2)).await.unwrap(), 0, "the journal has them all");
}
