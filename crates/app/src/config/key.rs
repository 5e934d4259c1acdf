//! The origin of the key that encrypts secrets at rest.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use hookyard_core::entropy::{self, Entropy};

/// The variable that may hold the key itself. The variable has no flag: a command line is for all to see.
const VARIABLE: &str = "HOOKYARD_ENCRYPTION_KEY";

/// The key's file in the data directory, used without another key.
const FILE: &str = "key";

/// Bytes of the key, as hexadecimal digits.
const DIGITS: usize = 64;

/// Where the key is.
pub(crate) enum KeySource {
    /// A key given by the operator.
    Given([u8; 32]),
    /// The operator keeps the key in a separate file.
    Named(PathBuf),
    /// The key is in the data directory, made together with the data.
    Own(PathBuf),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(..)"),
            Self::Named(path) => f.debug_tuple("Named").field(path).finish(),
            Self::Own(path) => f.debug_tuple("Own").field(path).finish(),
        }
    }
}

impl KeySource {
    /// Finds out where the key is, without reading a file.
    pub(crate) fn new(named: Option<PathBuf>, data: &Path) -> Result<Self> {
        match (std::env::var_os(VARIABLE), named) {
            (Some(_), Some(_)) => {
                bail!("both {VARIABLE} and an encryption key file are set: leave one out")
            }
            (Some(text), None) => {
                let text = text.to_str().unwrap_or_default();
                Ok(Self::Given(parse(text).with_context(|| format!("in {VARIABLE}"))?))
            }
            (None, Some(path)) => Ok(Self::Named(path)),
            (None, None) => Ok(Self::Own(data.join(FILE))),
        }
    }

    /// Reads the key.
    pub(crate) fn read(&self) -> Result<[u8; 32]> {
        let path = match self {
            Self::Given(key) => return Ok(*key),
            Self::Named(path) | Self::Own(path) => path,
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the encryption key {}", path.display()))?;
        parse(text.trim()).with_context(|| format!("in {}", path.display()))
    }

    /// The key of a new data directory. The directory's own key is made beside its place, and
    /// [`Self::settle`] moves the key to its place once data exists: a key without data stands for lost
    /// data.
    pub(crate) fn begin(&self, entropy: &dyn Entropy) -> Result<[u8; 32]> {
        match self.first() {
            Some(path) => read_or_make(&path, entropy),
            None => self.read(),
        }
    }

    /// Where the directory's own key is until there is data.
    fn first(&self) -> Option<PathBuf> {
        match self {
            Self::Own(path) => Some(path.with_extension(FIRST)),
            Self::Given(_) | Self::Named(_) => None,
        }
    }

    /// Whether a first start has made the directory's own key, and has not come to its end.
    pub(crate) fn has_begun(&self) -> bool {
        self.first().is_some_and(|first| first.exists()) && self.own().is_none()
    }

    /// The directory's own key, if present.
    pub(crate) fn own(&self) -> Option<&Path> {
        match self {
            Self::Own(path) => path.exists().then_some(path),
            Self::Given(_) | Self::Named(_) => None,
        }
    }

    /// Moves the key of a first start to its place: data exists now.
    pub(crate) fn settle(&self) -> Result<()> {
        let (Self::Own(path), Some(first)) = (self, self.first()) else { return Ok(()) };
        if !self.has_begun() {
            return Ok(());
        }
        std::fs::rename(&first, path).and_then(|()| sync_directory(path)).with_context(|| {
            format!("cannot put {} in place of {}", first.display(), path.display())
        })
    }
}

/// The extension of the directory's own key before data exists.
const FIRST: &str = "first";

/// The suffix of the directory's own next key while not everything is sealed with the next key.
const SUCCESSOR: &str = "new";

impl KeySource {
    /// Where the next key of the data directory is until everything is sealed with it; `None` when
    /// the operator keeps the key.
    pub(crate) fn successor(&self) -> Option<PathBuf> {
        match self {
            Self::Own(path) => Some(path.with_extension(SUCCESSOR)),
            Self::Given(_) | Self::Named(_) => None,
        }
    }

    /// The next key of an unfinished rotation.
    pub(crate) fn unfinished(&self) -> Result<Option<[u8; 32]>> {
        match self.successor() {
            Some(path) if path.exists() => Self::Named(path).read().map(Some),
            _ => Ok(None),
        }
    }

    /// Puts the next key in the place of the present key: everything is sealed with the next key.
    pub(crate) fn succeed(&self) -> Result<()> {
        let (Self::Own(path), Some(next)) = (self, self.successor()) else { return Ok(()) };
        std::fs::rename(&next, path).and_then(|()| sync_directory(path)).with_context(|| {
            format!("cannot put {} in place of {}", next.display(), path.display())
        })
    }
}

/// The key in a file. A missing file is made.
pub(crate) fn read_or_make(path: &Path, entropy: &dyn Entropy) -> Result<[u8; 32]> {
    make(path, entropy)
        .with_context(|| format!("cannot write the encryption key {}", path.display()))?;
    KeySource::Own(path.to_owned()).read()
}

/// Writes a new key to disk, unless the file exists. The key must survive a crash from here on, because
/// data is encrypted with the key later. Without room on the disk, no part of the file stays.
fn make(path: &Path, entropy: &dyn Entropy) -> std::io::Result<()> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let text = format!("{}\n", entropy::hex(entropy, DIGITS));
    let made = write(&draft, &text)
        .and_then(|()| std::fs::rename(&draft, path))
        .and_then(|()| sync_directory(path));
    if made.is_err() {
        // The file may be missing; the report is about the failed write.
        let _ = std::fs::remove_file(&draft);
    }
    made
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes a file's name survive a crash, too.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn parse(text: &str) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key)
        .map_err(|_| anyhow!("the encryption key is not {DIGITS} hexadecimal digits"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use hookyard_core::entropy::SystemEntropy;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let source = KeySource::Own(directory.path().join(FILE));
        assert!(source.read().is_err());
        let key = source.begin(&SystemEntropy).unwrap();
        assert!(source.has_begun() && source.read().is_err());
        assert_eq!(source.begin(&SystemEntropy).unwrap(), key, "a first start may be interrupted");
        source.settle().unwrap();
        source.settle().unwrap();
        assert_eq!(source.read().unwrap(), key);
        let names = std::fs::read_dir(directory.path()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [FILE]);
        let mode = directory.path().join(FILE).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_cannot_be_written_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        // Stands for a full disk: the last step fails.
        let path = directory.path().join("gone/key");
        assert!(read_or_make(&path, &SystemEntropy).is_err());
        let path = directory.path().join(FILE);
        std::fs::create_dir(directory.path().join("key.draft")).unwrap();
        assert!(read_or_make(&path, &SystemEntropy).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_key_of_another_form_is_refused_without_showing_it() {
        let message = format!("{:#}", parse("0123456789").unwrap_err());
        assert_eq!(message, "the encryption key is not 64 hexadecimal digits");
    }
}
