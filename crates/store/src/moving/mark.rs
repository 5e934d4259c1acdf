//! The note of a move beside the data.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file beside an embedded store that tells of a move, under way or finished. The move writes the file
/// before anything else: while the file is there, only the move may open the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The id by which the database recognises the move.
    pub id: String,
    /// Whether everything is there.
    pub finished: bool,
}

impl Mark {
    /// Reads the mark, if there is one.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the mark to disk, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("draft");
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        match path.parent() {
            Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}
