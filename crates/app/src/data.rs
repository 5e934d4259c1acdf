//! The data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hookyard_core::entropy::{Entropy, SystemEntropy};
use hookyard_store::moving::Mark;
use hookyard_store::sqlite::{Options, SqliteCredentials, SqliteStore};

use crate::config::{KeySource, read_or_make};

/// The file whose lock says who works on the directory. It stays when nobody does.
const LOCK: &str = "lock";

/// The embedded database.
const DATABASE: &str = "hookyard.db";

/// The file that says that the data is being moved elsewhere, or was.
const MARK: &str = "move";

/// A data directory that is there.
pub(crate) struct DataDir {
    path: PathBuf,
}

/// The right to serve from a directory, until it is dropped or the process ends in any way.
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory, made for its owner only if it is not there.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the data directory {}", path.display()))?;
        let data = Self { path: path.to_owned() };
        data.refuse_moved()?;
        Ok(data)
    }

    /// A directory that has data.
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        let data = Self::leaving(path)?;
        data.refuse_moved()?;
        Ok(data)
    }

    /// A directory that has data to be moved, or that were.
    pub(crate) fn leaving(path: &Path) -> Result<Self> {
        if !path.join(DATABASE).is_file() {
            bail!(
                "there is no data in {}: run `hookyard init` first, or name the directory with \
                 --data",
                path.display(),
            );
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Refuses data that two would work on if it were used here.
    fn refuse_moved(&self) -> Result<()> {
        let (path, mark) = (self.path.display(), self.mark());
        let known = Mark::read(&mark).with_context(|| format!("cannot read {}", mark.display()))?;
        let mark = mark.display();
        match known {
            None => Ok(()),
            Some(Mark { finished: true, .. }) => bail!(
                "the data in {path} was moved to a PostgreSQL database: name that with \
                 --database-url. To go back to what was here then, remove {mark}"
            ),
            Some(Mark { finished: false, .. }) => bail!(
                "the data in {path} is being moved to a PostgreSQL database: run the same \
                 `hookyard migrate` again to finish that. To stay here, remove {mark}; a move can \
                 then only begin anew, with an empty database"
            ),
        }
    }

    /// Where it is noted that the data is moved.
    pub(crate) fn mark(&self) -> PathBuf {
        self.path.join(MARK)
    }

    /// Where the embedded database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The key of data that is not to be changed.
    pub(crate) fn present_key(&self, source: &KeySource) -> Result<[u8; 32]> {
        if source.unfinished()?.is_some() {
            bail!("`hookyard key rotate` was interrupted: run it again first");
        }
        source.read()
    }

    /// Takes the directory for this process.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.path.join(LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data directory {} is in use by another hookyard: stop that one, or name \
                 another directory with --data",
                self.path.display(),
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// The key of the data: the one that is there once there is data, else maybe a new one.
    pub(crate) fn key(&self, source: &KeySource, entropy: &dyn Entropy) -> Result<[u8; 32]> {
        let database = self.path.join(DATABASE);
        if !database.exists() {
            return source.read_or_make(entropy);
        }
        let key = source.read()?;
        let Some(next) = source.unfinished()? else { return Ok(key) };
        // A rotation ended between its two steps: either nothing is sealed with the next key yet, or
        // everything is.
        let is_next = !SqliteStore::opens_with(&database, &key)?
            && SqliteStore::opens_with(&database, &next)?;
        if !is_next {
            return Ok(key);
        }
        source.succeed()?;
        Ok(next)
    }

    /// Seals everything with a new key: one in a file of the operator's, or the directory's own. How
    /// many values there are. Ends in any way, and it can be done again; the data opens throughout.
    pub(crate) fn rotate_key(
        &self,
        source: &KeySource,
        new: Option<&Path>,
        entropy: &dyn Entropy,
    ) -> Result<usize> {
        let old = self.key(source, entropy)?;
        let Some(place) = new.map(Path::to_owned).or_else(|| source.successor()) else {
            bail!(
                "the key is kept outside of the data directory: name a file for the new one with \
                 --new-encryption-key-file"
            );
        };
        let next = read_or_make(&place, entropy)?;
        if next == old {
            bail!("{} holds the present key: name another file", place.display());
        }
        let count = SqliteStore::rotate_key(&self.path.join(DATABASE), &old, &next, entropy)
            .with_context(|| format!("cannot seal the data in {} anew", self.path.display()))?;
        if new.is_none() {
            source.succeed()?;
        }
        Ok(count)
    }

    /// Opens the credentials alone, which another process may be serving from.
    pub(crate) fn open_credentials(&self) -> Result<SqliteCredentials> {
        SqliteCredentials::open(&self.path.join(DATABASE))
            .with_context(|| format!("cannot open the data in {}", self.path.display()))
    }

    /// Opens the embedded store, and makes it if it is not there.
    pub(crate) fn open_store(&self, key: [u8; 32]) -> Result<SqliteStore> {
        let path = self.path.join(DATABASE);
        SqliteStore::open(Options { path, key, entropy: Arc::new(SystemEntropy) })
            .with_context(|| format!("cannot open the data in {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let data = DataDir::create(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let lock = data.lock().unwrap();
        let message = DataDir::create(&path).unwrap().lock().err().unwrap().to_string();
        assert!(message.contains("a/b") && message.contains("stop that one"), "{message}");
        drop(lock);
        assert!(data.lock().is_ok());
    }

    #[test]
    fn a_directory_without_data_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let message = DataDir::existing(directory.path()).err().unwrap().to_string();
        assert!(message.contains("hookyard init"), "{message}");
    }

    #[test]
    fn data_that_is_moved_is_not_used_here_any_more() {
        let directory = tempfile::tempdir().unwrap();
        File::create(directory.path().join(DATABASE)).unwrap();
        for (finished, advice) in [(false, "`hookyard migrate` again"), (true, "--database-url")] {
            let mark = format!(r#"{{"id":"1","finished":{finished}}}"#);
            std::fs::write(directory.path().join(MARK), mark).unwrap();
            for refused in [DataDir::create(directory.path()), DataDir::existing(directory.path())]
            {
                let message = refused.err().unwrap().to_string();
                assert!(message.contains(advice) && message.contains("remove"), "{message}");
            }
            assert!(DataDir::leaving(directory.path()).is_ok());
        }
        std::fs::remove_file(directory.path().join(MARK)).unwrap();
        assert!(DataDir::existing(directory.path()).is_ok());
    }

    #[test]
    fn a_lost_key_is_not_replaced_once_there_is_data() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::create(directory.path()).unwrap();
        let source = KeySource::Own(directory.path().join("key"));
        File::create(directory.path().join(DATABASE)).unwrap();
        assert!(data.key(&source, &SystemEntropy).is_err());
        assert!(!directory.path().join("key").exists());
    }
}
