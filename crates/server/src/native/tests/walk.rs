//! Every operation of the description, so that a new one is walked without being named anywhere.

use hookyard_core::model::Scope;
use serde_json::{Value, json};

use crate::native::document;

/// One operation that needs a credential, with an example of its body.
pub(crate) struct Operation {
    pub(crate) method: String,
    /// The pattern, with its parameters in braces.
    pub(crate) path: String,
    pub(crate) scope: Scope,
    pub(crate) content_type: String,
    pub(crate) body: Option<Value>,
}

/// All of them.
pub(crate) fn operations() -> Vec<Operation> {
    let document = document::whole();
    let mut operations = Vec::new();
    for (path, method, operation) in document::each_operation(&document) {
        let Some(scope) = document::scope_of(operation) else { continue };
        let content = operation["requestBody"]["content"].as_object();
        let (content_type, body) = match content.and_then(|content| content.iter().next()) {
            Some((kind, content)) => (kind.clone(), Some(example(&document, &content["schema"]))),
            None => (String::new(), None),
        };
        let (method, path) = (method.to_uppercase(), path.to_owned());
        operations.push(Operation { method, path, scope, content_type, body });
    }
    assert!(operations.len() > 10);
    operations
}

fn example(document: &Value, schema: &Value) -> Value {
    if schema["items"].is_object() {
        return json!([example(document, &schema["items"])]);
    }
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    document["components"]["schemas"][name]["examples"][0].clone()
}
