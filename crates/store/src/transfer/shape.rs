//! How PostgreSQL keeps events, texts and queues, where the embedded store must write the same.

use std::borrow::Cow;

use hookyard_core::id::WorkspaceId;
use sha2::{Digest, Sha256};

/// Entries in one chunk of a queue: the bound on how far before a queue's head the first chunk begins.
pub(crate) const CHUNK_ENTRIES: u16 = 512;

/// A hash of workspace and event id, by which an event is found. SHA-256 cut to 64 bits: stable, and
/// nobody aims for collisions cheaply; a find is always compared.
pub(crate) fn id_hash(workspace: WorkspaceId, id: &str) -> i64 {
    let mut sha = Sha256::new();
    sha.update(workspace.0.to_le_bytes());
    sha.update(id.as_bytes());
    let digest: [u8; 32] = sha.finalize().into();
    i64::from_le_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
}

/// Text in a form that PostgreSQL can keep.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\u{1}', "\u{1}1").replace('\0', "\u{1}0"))
}
