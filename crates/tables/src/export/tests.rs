use hookyard_core::model::VersionsKept;
use hookyard_store::{BatchChange, DatasetChange};

use super::*;
use crate::testing::{OTHER, PROJECT, Place, WS};

fn options(format: Format) -> Options {
    let flatten = format.flattens();
    Options { format, flatten, from: None, until: None, formulas: Formulas::Keep }
}

async fn file(place: &Place, id: DatasetId, options: Options) -> Vec<u8> {
    let mut export = place.tables.export(WS, id, options).await.unwrap();
    let mut file = Vec::new();
    while let Some(part) = export.parts.recv().await {
        file.extend_from_slice(&part.unwrap());
    }
    file
}

fn text(file: Vec<u8>) -> String {
    String::from_utf8(file).unwrap()
}

#[tokio::test]
async fn each_form_is_written() {
    let place = Place::new().await;
    let cells = ["{\n \"a\": 1.50,\"b\":{\"c\":\"x\"}}", r#"{"a":2,"d":[1, 2]}"#, "7"];
    let id = place.dataset(WS, "Orders", &cells).await;
    let ndjson = text(file(&place, id, options(Format::Ndjson)).await);
    assert_eq!(ndjson, "{  \"a\": 1.50,\"b\":{\"c\":\"x\"}}\n{\"a\":2,\"d\":[1, 2]}\n7\n");
    let csv = text(file(&place, id, options(Format::Csv)).await);
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines[0], "_batch,_received_at,a,b.c,d,_value");
    assert!(lines[1].ends_with(",1970-01-01T00:00:00Z,1.50,x,,"), "{csv}");
    assert!(lines[2].ends_with(",1970-01-01T00:00:01Z,2,,\"[1, 2]\","), "{csv}");
    assert!(lines[3].ends_with(",1970-01-01T00:00:02Z,,,,7"), "{csv}");

    let flat = Options { flatten: true, ..options(Format::Ndjson) };
    let flat = text(file(&place, id, flat).await);
    assert!(flat.contains(r#""_received_at":"1970-01-01T00:00:01Z","a":2,"d":[1, 2]}"#), "{flat}");
    let whole = Options { flatten: false, ..options(Format::Csv) };
    assert!(
        text(file(&place, id, whole).await).contains(",\"{\"\"a\"\":2,\"\"d\"\":[1, 2]}\"\r\n")
    );
}

#[tokio::test]
async fn an_empty_dataset_is_a_file_too() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[]).await;
    assert_eq!(text(file(&place, id, options(Format::Csv)).await), "_batch,_received_at\r\n");
    assert_eq!(text(file(&place, id, options(Format::Ndjson)).await), "");
}

#[tokio::test]
async fn times_cut_an_export() {
    let place = Place::new().await;
    let cells: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    let cells: Vec<_> = cells.iter().map(String::as_str).collect();
    let id = place.dataset(WS, "Orders", &cells).await;
    let at = |second| Some(Timestamp::from_second(second).unwrap());
    let some = Options { from: at(3), until: at(6), ..options(Format::Ndjson) };
    assert_eq!(text(file(&place, id, some).await), "3\n4\n5\n");
}

#[tokio::test]
async fn other_workspaces_have_no_such_dataset() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &["1"]).await;
    for format in [Format::Csv, Format::Ndjson] {
        let refused = place.tables.export(OTHER, id, options(format)).await;
        assert!(matches!(refused, Err(Error::Store(_))), "{format:?}");
    }
    assert!(place.tables.schema(OTHER, id).await.is_err());
}

/// The parts of an export are a page each, whatever the size of the dataset, and no more than two of
/// them are there at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_does_not_grow_with_the_dataset() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[]).await;
    let filler = "x".repeat(4_000);
    place.fill(id, (0..5_000).map(|n| format!(r#"{{"n":{n},"filler":"{filler}"}}"#))).await;
    for format in [Format::Csv, Format::Ndjson] {
        let mut export = place.tables.export(WS, id, options(format)).await.unwrap();
        let (mut total, mut largest, mut lines) = (0, 0, 0);
        while let Some(part) = export.parts.recv().await {
            let part = part.unwrap();
            total += part.len();
            largest = largest.max(part.len());
            lines += part.iter().filter(|byte| **byte == b'\n').count();
            assert!(export.parts.len() <= 1);
        }
        assert!(total > 20_000_000, "{total}");
        assert!(largest < 2 << 20, "{largest}");
        assert_eq!(lines, 5_000 + usize::from(format == Format::Csv));
    }
}

#[tokio::test]
async fn rows_that_come_or_go_meanwhile_do_not_spoil_it() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[]).await;
    let filler = "x".repeat(300_000);
    for n in 0..20 {
        place.add(WS, id, &format!(r#"{{"n":{n},"f":"{filler}"}}"#), n).await;
    }
    let mut export = place.tables.export(WS, id, options(Format::Csv)).await.unwrap();
    let mut got = export.parts.recv().await.unwrap().unwrap().to_vec();
    place.add(WS, id, r#"{"new":1}"#, 100).await;
    while let Some(part) = export.parts.recv().await {
        got.extend_from_slice(&part.unwrap());
    }
    let got = text(got);
    assert_eq!(got.lines().count(), 21);
    assert!(!got.contains("new"));
    assert!(text(file(&place, id, options(Format::Csv)).await).contains(",new\r\n"));
}

#[tokio::test]
async fn work_for_nobody_ends() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[]).await;
    let filler = "x".repeat(600_000);
    for n in 0..20 {
        place.add(WS, id, &format!("\"{filler}\""), n).await;
    }
    for _ in 0..4 * crate::EXPORTS_OF_ONE_MAX {
        let mut export = place.tables.export(WS, id, options(Format::Ndjson)).await;
        while let Err(Error::Busy(_)) = export {
            tokio::task::yield_now().await;
            export = place.tables.export(WS, id, options(Format::Ndjson)).await;
        }
        export.unwrap().parts.recv().await.unwrap().unwrap();
    }
    let mut open = Vec::new();
    loop {
        match place.tables.export(WS, id, options(Format::Ndjson)).await {
            Ok(export) => open.push(export),
            Err(Error::Busy(_)) if open.len() == crate::EXPORTS_OF_ONE_MAX => break,
            Err(_) => tokio::task::yield_now().await,
        }
    }
    drop(open);
}

/// Whoever opens exports and reads nothing of them has a share of the places and no more.
#[tokio::test]
async fn slow_readers_leave_places_to_other_workspaces() {
    let place = Place::new().await;
    // More than an export makes before somebody reads.
    let slow = place.dataset(WS, "Orders", &[]).await;
    for n in 0..6 {
        place.add(WS, slow, &format!("\"{}\"", "x".repeat(600_000)), n).await;
    }
    let other = place.dataset(OTHER, "Orders", &["2"]).await;
    let mut open = Vec::new();
    let refused = loop {
        match place.tables.export(WS, slow, options(Format::Ndjson)).await {
            Ok(export) => open.push(export),
            Err(refused) => break refused,
        }
    };
    assert_eq!(open.len(), crate::EXPORTS_OF_ONE_MAX);
    assert!(refused.to_string().contains("of this workspace"), "{refused}");
    let mut export = place.tables.export(OTHER, other, options(Format::Ndjson)).await.unwrap();
    assert_eq!(export.parts.recv().await.unwrap().unwrap(), "2\n");
}

#[tokio::test]
async fn a_version_that_is_dropped_breaks_the_export_off() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[]).await;
    let filler = "x".repeat(700_000);
    for n in 0..10 {
        place.add(WS, id, &format!("\"{filler}\""), n).await;
    }
    let mut export = place.tables.export(WS, id, options(Format::Ndjson)).await.unwrap();
    export.parts.recv().await.unwrap().unwrap();
    assert!(place.store.delete_dataset(WS, PROJECT, id).await.unwrap());
    let mut last = Ok(Bytes::new());
    while let Some(part) = export.parts.recv().await {
        last = part;
    }
    assert!(last.is_err(), "a part of a file passed for the whole");
}

#[tokio::test]
async fn the_schema_follows_the_rows() {
    let place = Place::new().await;
    let id = place.dataset(WS, "Orders", &[r#"{"a":1}"#, r#"{"a":2}"#]).await;
    let rows = async || place.tables.schema(WS, id).await.unwrap().inference.rows();
    assert_eq!(rows().await, 2);
    let first = place.tables.schema(WS, id).await.unwrap();
    assert!(Arc::ptr_eq(&first, &place.tables.schema(WS, id).await.unwrap()));
    place.add(WS, id, r#"{"a":"x"}"#, 2).await;
    assert_eq!(rows().await, 3);
    let schema = place.tables.schema(WS, id).await.unwrap();
    let a = &schema.inference.columns()[0];
    assert_eq!((a.kind.as_str(), a.changes.len(), a.rows), ("string", 1, 3));

    let last = schema.inference.seen().unwrap().last.batch;
    let now = Timestamp::UNIX_EPOCH;
    let change = |change| place.store.change_batches(WS, PROJECT, id, vec![(last, change)], now);
    change(BatchChange::Suspend).await.unwrap();
    let schema = place.tables.schema(WS, id).await.unwrap();
    assert_eq!(
        (schema.inference.rows(), schema.inference.columns()[0].kind.as_str()),
        (2, "integer")
    );
    change(BatchChange::Restore).await.unwrap();
    assert_eq!(rows().await, 3);

    let rename = DatasetChange {
        name: Some("New".to_owned()),
        keep: Some(VersionsKept::default()),
        ..DatasetChange::default()
    };
    place.store.update_dataset(WS, PROJECT, id, rename).await.unwrap();
    assert_eq!(place.tables.schema(WS, id).await.unwrap().dataset.name, "New");
}

#[cfg(feature = "analytics")]
mod with_parquet {
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow::array::AsArray;
    use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};

    use super::*;

    #[tokio::test]
    async fn parquet_is_read_back() {
        let place = Place::new().await;
        let cells = [
            r#"{"n":1,"x":0.5,"at":"2026-01-01T02:00:00+02:00","s":"é","j":[1, 2]}"#,
            r#"{"n":9007199254740993,"x":null,"s":5}"#,
        ];
        let id = place.dataset(WS, "Orders", &cells).await;
        let file = Bytes::from(file(&place, id, options(Format::Parquet)).await);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let batches: Vec<_> = reader.map(Result::unwrap).collect();
        let batch = &batches[0];
        assert_eq!((batches.len(), batch.num_rows()), (1, 2));
        let column = |name| batch.column_by_name(name).unwrap();
        let n = column("n").as_primitive::<Int64Type>();
        assert_eq!(n.values(), &[1, 9_007_199_254_740_993]);
        assert_eq!(
            column("x").as_primitive::<Float64Type>().iter().collect::<Vec<_>>(),
            [Some(0.5), None]
        );
        let at = column("at").as_primitive::<TimestampMicrosecondType>();
        assert_eq!(at.value(0), 1_767_225_600_000_000);
        assert_eq!(
            column("s").as_string::<i32>().iter().collect::<Vec<_>>(),
            [Some("é"), Some("5")]
        );
        assert_eq!(column("j").as_string::<i32>().value(0), "[1, 2]");
        assert_eq!(
            column("_received_at").as_primitive::<TimestampMicrosecondType>().value(1),
            1_000_000
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn row_groups_leave_as_they_fill() {
        let place = Place::new().await;
        let id = place.dataset(WS, "Orders", &[]).await;
        // Text that no encoding makes small.
        let cell = |n: u32| {
            let mut state = n;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + u8::try_from(state >> 24).unwrap() % 26)
            };
            let filler: String = (0..25_000).map(|_| next()).collect();
            format!(r#"{{"n":{n},"f":"{filler}"}}"#)
        };
        place.fill(id, (0..3_000).map(cell)).await;
        let mut export = place.tables.export(WS, id, options(Format::Parquet)).await.unwrap();
        let (mut file, mut parts) = (Vec::new(), 0);
        while let Some(part) = export.parts.recv().await {
            let part = part.unwrap();
            assert!(part.len() < 64 << 20, "{}", part.len());
            file.extend_from_slice(&part);
            parts += 1;
        }
        assert!(parts > 2, "{parts}");
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
        assert!(reader.metadata().num_row_groups() > 1);
        assert_eq!(reader.metadata().file_metadata().num_rows(), 3_000);
    }
}
