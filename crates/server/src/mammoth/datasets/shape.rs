//! How a dataset looks on the wire.

use hookyard_core::model::{Dataset, Source};
use serde_json::{Map, Value, json};

use super::super::folders::Tree;
use super::columns;

/// All members of a dataset.
pub(super) fn dataset(dataset: &Dataset, tree: &Tree) -> Map<String, Value> {
    let Dataset { id, workspace, project, name, folder, created_at, updated_at, stats, .. } =
        dataset;
    let path = format!("/workspaces/{workspace}/projects/{project}/datasets/{id}");
    let all = columns::all(&dataset.columns);
    let schema = all.iter().map(|column| column.schema(&dataset.columns)).collect::<Vec<_>>();
    let members = json!({
        "id": id,
        "name": name,
        "created_at": created_at,
        "updated_at": updated_at,
        "created_by": null,
        "status": "ready",
        "status_info": {},
        "get_url": path,
        "data_url": format!("{path}/data"),
        "data_schema": schema,
        "stats": {
            "row_count": stats.rows,
            "column_count": all.len(),
            "batch_count": stats.batches(),
            "size": stats.bytes,
        },
        "sources": dataset.source.iter().map(|source| origin(source)).collect::<Vec<_>>(),
        "resource_path": format!("{}/datasource:{name}:{id}", tree.path(*folder)),
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn origin(source: &Source) -> Value {
    let key = &source.spec.key;
    json!({"type": "sketch", "details": {
        "id": source.id,
        "key": key,
        "url": format!("/webhook/data/{key}"),
        "origins": source.spec.origins,
    }})
}
