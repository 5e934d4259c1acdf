//! Whether the files are still the opened files.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// The identity of a file among all files of the machine.
type Identity = (u64, u64);

/// The database and its write-ahead log.
///
/// SQLite goes on with files that have no name any more, and commits to such files are lost with the process:
/// as when a backup replaces the database of a running server.
#[derive(Debug)]
pub(super) struct Files(Vec<(PathBuf, Option<Identity>)>);

impl Files {
    /// The files of a connection.
    pub(super) fn of(conn: &Connection) -> Self {
        let Some(path) = conn.path().filter(|path| !path.is_empty()) else {
            return Self(Vec::new());
        };
        let files = [path.to_owned(), format!("{path}-wal")].map(PathBuf::from);
        let known = files.into_iter().map(|path| {
            let identity = identity(&path).ok().flatten();
            (path, identity)
        });
        Self(known.collect())
    }

    /// The fate of a lost file, if any. A look costs a microsecond.
    pub(super) fn lost(&mut self) -> Option<String> {
        self.0.iter_mut().find_map(|(path, known)| {
            // A file that cannot be examined may still be there.
            let found = identity(path).ok()?;
            if known.is_none() {
                // The write-ahead log is made with the first transaction.
                *known = found;
            }
            let what = match found {
                _ if *known == found => return None,
                None => "removed or moved away",
                Some(_) => "replaced by another file",
            };
            Some(format!("{} was {what} while the server was running", path.display()))
        })
    }
}

/// The identity of a file; `None` when absent.
fn identity(path: &Path) -> std::io::Result<Option<Identity>> {
    match path.metadata() {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
