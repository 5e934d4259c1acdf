//! The data directory.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hookyard_core::entropy::{Entropy, SystemEntropy};
use hookyard_store::StoreError;
use hookyard_store::moving::Mark;
use hookyard_store::sqlite::{Options, SqliteCredentials, SqliteStore};

use crate::config::{KeySource, read_or_make};

/// The file whose lock shows the process at work on the directory. The file stays when nobody works.
const LOCK: &str = "lock";

/// The embedded database.
const DATABASE: &str = "hookyard.db";

/// The name of the embedded database's write-ahead log.
const LOG: &str = "hookyard.db-wal";

/// The first bytes of each SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The file that marks the data as moving elsewhere, or moved.
const MARK: &str = "move";

/// The finding in the place of the database.
enum Found {
    /// There is none.
    Nothing,
    /// A file without a byte, as SQLite leaves a new file before the first write.
    Empty,
    /// Something else.
    Foreign,
    /// A database.
    Database,
}

/// An existing data directory.
pub(crate) struct DataDir {
    path: PathBuf,
}

/// The right to serve from a directory, until it is dropped or the process ends in any way.
pub(crate) struct Lock {
    _file: File,
}

impl DataDir {
    /// The directory, made for its owner only if missing.
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

    /// A directory with data.
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        let data = Self::leaving(path)?;
        data.refuse_moved()?;
        Ok(data)
    }

    /// A directory with data to move, or with data already moved.
    pub(crate) fn leaving(path: &Path) -> Result<Self> {
        let data = Self { path: path.to_owned() };
        match data.found()? {
            Found::Nothing => bail!(
                "there is no data in {}: run `hookyard init` first, or name the directory with \
                 --data",
                data.absolute(),
            ),
            Found::Empty => data.refuse_empty(),
            Found::Foreign => data.refuse_foreign(),
            Found::Database => Ok(data),
        }
    }

    /// The directory's whole path, for people.
    pub(crate) fn absolute(&self) -> String {
        absolute(&self.path)
    }

    fn found(&self) -> Result<Found> {
        let path = self.database();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let mut start = Vec::new();
        file.by_ref()
            .take(MAGIC.len() as u64)
            .read_to_end(&mut start)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(match start.as_slice() {
            [] => Found::Empty,
            start if start == MAGIC => Found::Database,
            _ => Found::Foreign,
        })
    }

    fn refuse_empty<T>(&self) -> Result<T> {
        bail!(
            "{DATABASE} in {} is empty (0 bytes), so its data is lost: put it back from a backup. Only \
             if there never was any, remove the file and start again",
            self.absolute(),
        )
    }

    fn refuse_foreign<T>(&self) -> Result<T> {
        bail!(
            "{DATABASE} in {} is not a SQLite database: it is damaged, or another file. Put it back \
             from a backup, or name another directory with --data",
            self.absolute(),
        )
    }

    /// Refuses moved data: use here and elsewhere would give the data two owners.
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

    /// The place of the note about a move of the data.
    pub(crate) fn mark(&self) -> PathBuf {
        self.path.join(MARK)
    }

    /// Where the embedded database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// The key of data that must stay unchanged.
    pub(crate) fn present_key(&self, source: &KeySource) -> Result<[u8; 32]> {
        if source.unfinished()?.is_some() {
            bail!("`hookyard key rotate` was interrupted: run it again first");
        }
        source.read()
    }

    /// Takes the directory for this process.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let path = self.path.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
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

    /// The key of the data: the present key once data exists, else possibly a new key.
    pub(crate) fn key(&self, source: &KeySource, entropy: &dyn Entropy) -> Result<[u8; 32]> {
        match self.found()? {
            Found::Nothing => {
                self.refuse_lost(source)?;
                return source.begin(entropy);
            }
            // A first start was interrupted before the first write.
            Found::Empty if source.has_begun() => return source.begin(entropy),
            Found::Empty => return self.refuse_empty(),
            Found::Foreign => return self.refuse_foreign(),
            Found::Database if source.has_begun() => return source.begin(entropy),
            Found::Database => {}
        }
        let key = match source.read() {
            Ok(key) => key,
            // A database unreadable even without a key is not mended by a key.
            Err(error) => {
                let place = self.absolute();
                SqliteStore::look_at(&self.database()).with_context(|| {
                    format!("{DATABASE} in {place} is damaged: put it back from a backup")
                })?;
                return Err(error);
            }
        };
        let Some(next) = source.unfinished()? else { return Ok(key) };
        // A rotation ended between its two steps: either nothing is sealed with the next key yet, or
        // everything is.
        let database = self.database();
        let is_next = !SqliteStore::opens_with(&database, &key)?
            && SqliteStore::opens_with(&database, &next)?;
        if !is_next {
            return Ok(key);
        }
        source.succeed()?;
        Ok(next)
    }

    /// Refuses a new start in a directory that had data.
    fn refuse_lost(&self, source: &KeySource) -> Result<()> {
        let place = self.absolute();
        if self.path.join(LOG).exists() {
            bail!(
                "{DATABASE} is missing in {place}, and {LOG}, a part of it, is there: put both back \
                 from a backup"
            );
        }
        let Some(key) = source.own() else { return Ok(()) };
        let what = match key.metadata().map(|file| file.len()) {
            Ok(0) => "an empty file `key`, which an earlier start had no room to write,",
            _ => "its encryption key `key`",
        };
        bail!(
            "{DATABASE} is missing in {place}, and {what} is there, so the data is lost or elsewhere: \
             put {DATABASE} back from a backup, or name another directory with --data. Only if there \
             never was any data, remove {} and start again",
            key.display(),
        )
    }

    /// Keeps the directory's files from everybody but the owner, whatever made the files; and warns when
    /// others can look into the directory.
    pub(crate) fn tighten(&self) -> Result<()> {
        let reading = || format!("cannot read the data directory {}", self.path.display());
        let mode = self.path.metadata().with_context(reading)?.permissions().mode();
        if mode & OTHERS != 0 {
            let mode = format!("{:o}", mode & 0o777);
            let directory = self.absolute();
            tracing::warn!(
                directory,
                mode,
                "others can look into the data directory: chmod 700 it"
            );
        }
        for entry in std::fs::read_dir(&self.path).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            // The link's own metadata, not the target's.
            let Ok(file) = entry.metadata() else { continue };
            if !file.is_file() || file.permissions().mode() & OTHERS == 0 {
                continue;
            }
            let path = entry.path();
            match std::fs::set_permissions(&path, Permissions::from_mode(0o600)) {
                Ok(()) => {
                    tracing::info!(path = %path.display(), "the file is its owner's alone now");
                }
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "others can read the file");
                }
            }
        }
        Ok(())
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

    /// Opens the credentials alone, also beside a serving process.
    pub(crate) fn open_credentials(&self) -> Result<SqliteCredentials> {
        let cannot_open = || format!("cannot open the data in {}", self.path.display());
        match SqliteCredentials::open(&self.database()) {
            // A running server would not know the newer format of data opened by this program.
            Err(StoreError::Conflict(_)) => {
                let _lock = self.lock()?;
                SqliteCredentials::migrate(&self.database()).with_context(cannot_open)?;
                SqliteCredentials::open(&self.database()).with_context(cannot_open)
            }
            opened => opened.with_context(cannot_open),
        }
    }

    /// Opens the embedded store. A missing store is made.
    pub(crate) fn open_store(&self, key: [u8; 32]) -> Result<SqliteStore> {
        let path = self.path.join(DATABASE);
        SqliteStore::open(Options { path, key, entropy: Arc::new(SystemEntropy) })
            .with_context(|| format!("cannot open the data in {}", self.path.display()))
    }
}

/// A path from the root on, for people.
pub(crate) fn absolute(path: &Path) -> String {
    let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
    whole.as_deref().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use hookyard_store::Store;

    use super::*;

    fn database(directory: &Path) {
        std::fs::write(directory.join(DATABASE), MAGIC).unwrap();
    }

    fn refused(directory: &Path) -> String {
        let source = KeySource::Own(directory.join("key"));
        let data = DataDir::create(directory).unwrap();
        data.key(&source, &SystemEntropy).unwrap_err().to_string()
    }

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
        database(directory.path());
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

    #[tokio::test]
    async fn a_lost_key_is_not_replaced_once_there_is_data() {
        let directory = tempfile::tempdir().unwrap();
        let store = DataDir::create(directory.path()).unwrap().open_store([7; 32]).unwrap();
        store.close().await.unwrap();
        drop(store);
        let message = refused(directory.path());
        assert!(message.contains("cannot read the encryption key"), "{message}");
        assert!(!directory.path().join("key").exists());
        // A damaged one is not reported as a missing key.
        let path = directory.path().join(DATABASE);
        let whole = std::fs::read(&path).unwrap();
        for text in [&whole[..100], &whole[..whole.len() / 2], MAGIC] {
            for beside in [LOG, "hookyard.db-shm"] {
                let _ = std::fs::remove_file(directory.path().join(beside));
            }
            std::fs::write(&path, text).unwrap();
            let message = refused(directory.path());
            assert!(message.contains("is damaged"), "{message}");
        }
    }

    #[test]
    fn lost_and_damaged_databases_are_not_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for (file, text, said) in [
            ("key", "5e".repeat(32), "its encryption key `key` is there"),
            ("key", String::new(), "an empty file `key`"),
            (LOG, "x".to_owned(), "put both back"),
            (DATABASE, String::new(), "is empty (0 bytes)"),
            (DATABASE, "not a database at all".to_owned(), "not a SQLite database"),
        ] {
            std::fs::write(path.join(file), text).unwrap();
            let message = refused(path);
            assert!(message.contains(said), "{message}");
            assert!(message.contains(&absolute(path)), "{message}");
            if file == DATABASE {
                let message = DataDir::existing(path).err().unwrap().to_string();
                assert!(message.contains(said), "{message}");
            }
            std::fs::remove_file(path.join(file)).unwrap();
        }
        assert_eq!(std::fs::read_dir(path).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn a_first_start_that_was_interrupted_is_gone_on_with() {
        for database in [None, Some(String::new()), Some("SQLite format 3\0...".to_owned())] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            let source = KeySource::Own(path.join("key"));
            let data = DataDir::create(path).unwrap();
            let key = data.key(&source, &SystemEntropy).unwrap();
            if let Some(database) = database {
                std::fs::write(path.join(DATABASE), database).unwrap();
            }
            assert_eq!(data.key(&source, &SystemEntropy).unwrap(), key);
            source.settle().unwrap();
            assert_eq!(source.read().unwrap(), key);
        }
    }

    #[test]
    fn files_are_their_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::create(directory.path()).unwrap();
        let path = directory.path().join(DATABASE);
        database(directory.path());
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let _lock = data.lock().unwrap();
        data.tighten().unwrap();
        for file in [path, directory.path().join(LOCK)] {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
