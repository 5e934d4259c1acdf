//! The highest numbers acknowledged to callers, kept in a separate file.
//!
//! SQLite drops the unfitting part of the write-ahead log without a word: a removed log, or a log with a
//! changed byte, leaves a store that is whole and shorter. So does an older copy of the database. The
//! acknowledged numbers are therefore also written beside the database, after each commit and before the
//! answers. A start that finds less in the store than in the file refuses to go on.
//!
//! The file is never ahead of durable data, since a commit has returned from fsync before the numbers are
//! written. The file has no fsync of its own, so a power cut may leave the numbers some seconds behind. A
//! part of a loss may then go unnoticed, but no loss is ever invented. Two lines take turns, each within one
//! sector, so a torn write leaves the other line.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::failed;
use super::next_ids::NextIds;
use super::rows::unsigned;
use crate::{Loss, Missing, StoreError};

/// Bytes of a line: the smallest sector size; a disk writes a sector wholly or not at all.
const LINE_BYTES: usize = 512;

/// The lines of the file.
const LINES: u64 = 2;

/// The start of a line. The number is the format's.
const TITLE: &str = "hookyard acknowledged 1";

/// The kinds of the numbers, in the order of a line.
const KINDS: [&str; 4] = ["events", "attempts", "rows", "changes"];

/// The highest numbers of events, attempts, rows (and versions) and changes in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers([u64; KINDS.len()]);

impl Numbers {
    /// The last numbers before the next ones.
    pub(super) fn before(next: NextIds, changes: u64) -> Self {
        Self([next.seq, next.attempt, next.row, changes + 1].map(|next| next.saturating_sub(1)))
    }

    /// The higher number of each kind.
    pub(super) fn or_higher(self, other: Self) -> Self {
        let mut higher = self.0;
        higher.iter_mut().zip(other.0).for_each(|(own, other)| *own = (*own).max(other));
        Self(higher)
    }

    pub(super) fn events(self) -> u64 {
        self.0[0]
    }

    pub(super) fn attempts(self) -> u64 {
        self.0[1]
    }

    pub(super) fn rows(self) -> u64 {
        self.0[2]
    }

    pub(super) fn changes(self) -> u64 {
        self.0[3]
    }

    /// The loss of a store that ends here, against the acknowledged numbers.
    pub(super) fn lack(self, acknowledged: Self) -> Option<Loss> {
        let pairs = KINDS.into_iter().zip(self.0.into_iter().zip(acknowledged.0));
        let missing = pairs.filter(|(_, (held, acknowledged))| held < acknowledged);
        let missing: Vec<_> = missing
            .map(|(what, (held, acknowledged))| {
                let missing = acknowledged - held;
                Missing { what, held, acknowledged, missing }
            })
            .collect();
        (!missing.is_empty()).then_some(Loss(missing))
    }

    fn line(self) -> [u8; LINE_BYTES] {
        let numbers = KINDS.iter().zip(self.0).map(|(what, number)| format!(" {what}={number}"));
        let text = format!("{TITLE}{}", numbers.collect::<String>());
        let text = format!("{text} crc32={:08x}", crc32fast::hash(text.as_bytes()));
        let mut line = [b' '; LINE_BYTES];
        line.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
        line[LINE_BYTES - 1] = b'\n';
        line
    }

    /// Reads a line made by [`Numbers::line`]; `None` for anything else.
    fn parse(line: &[u8]) -> Option<Self> {
        let (text, sum) = str::from_utf8(line).ok()?.trim_end().rsplit_once(" crc32=")?;
        if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(text.as_bytes()) {
            return None;
        }
        let mut words = text.strip_prefix(TITLE)?.split_ascii_whitespace();
        let mut numbers = [0; KINDS.len()];
        for (number, what) in numbers.iter_mut().zip(KINDS) {
            *number = words.next()?.strip_prefix(what)?.strip_prefix('=')?.parse().ok()?;
        }
        Some(Self(numbers))
    }
}

/// The content of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// There is no file, as beside a new or restored store, or a store of an earlier version.
    Nothing,
    /// The file cannot be understood.
    Damaged,
    /// The acknowledged numbers.
    Acknowledged(Numbers),
}

/// Where the file of a database is.
fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-acknowledged");
    PathBuf::from(path)
}

/// Reads the file of a database.
pub(super) fn read(database: &Path) -> Result<Said, StoreError> {
    let path = beside(database);
    let mut text = Vec::new();
    let read = File::open(&path)
        .and_then(|file| file.take(LINES * LINE_BYTES as u64).read_to_end(&mut text));
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Said::Nothing),
        Err(error) => {
            return Err(StoreError::Unavailable(format!(
                "cannot read {}: {error}",
                path.display()
            )));
        }
    }
    let lines = text.chunks(LINE_BYTES).filter_map(Numbers::parse);
    Ok(lines.reduce(Numbers::or_higher).map_or(Said::Damaged, Said::Acknowledged))
}

/// The loss of a store that ends with these numbers, against the numbers beside the database.
pub(super) fn lacking(database: &Path, held: Numbers) -> Result<Option<Loss>, StoreError> {
    match read(database)? {
        Said::Acknowledged(known) => Ok(held.lack(known)),
        Said::Nothing | Said::Damaged => Ok(None),
    }
}

/// Refuses a store that is shorter than before.
pub(super) fn refuse_shorter(database: &Path, held: Numbers) -> Result<(), StoreError> {
    let Some(loss) = lacking(database, held)? else { return Ok(()) };
    Err(StoreError::Conflict(format!(
        "the database lacks what was acknowledged before ({loss}). Its write-ahead log was removed or \
         damaged, or an older copy was put in its place: put back the whole directory, or all files of \
         the database. To go on without what is missing, run `hookyard check --accept-loss`"
    )))
}

/// The number of the last change in the audit log, deleted changes included.
pub(super) fn last_change(conn: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)";
    let mut statement = conn.prepare_cached(sql).map_err(failed)?;
    statement.query_row([], |row| unsigned(row, 0)).map_err(failed)
}

/// The file, for the writing thread.
#[derive(Debug)]
pub(super) struct Acknowledged {
    file: File,
    written: Numbers,
    /// The line to write next.
    turn: u64,
    /// Whether the last write failed.
    failing: bool,
}

impl Acknowledged {
    /// Begins the file of a store that holds these numbers. A file that cannot be written is no reason not to
    /// serve: the log reports the fault, and a loss would go unnoticed.
    pub(super) fn begin(database: &Path, held: Numbers) -> Option<Self> {
        let path = beside(database);
        if read(database).is_ok_and(|said| said == Said::Damaged) {
            tracing::warn!(path = %path.display(), "the file was damaged and is written anew: \
                           whether the database lacks anything is not known");
        }
        match Self::make(&path, held) {
            Ok(made) => Some(made),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot keep what is acknowledged: \
                               a loss would go unnoticed");
                None
            }
        }
    }

    fn make(path: &Path, held: Numbers) -> std::io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(path)?;
        let line = held.line();
        for place in 0..LINES {
            file.write_all_at(&line, place * LINE_BYTES as u64)?;
        }
        file.sync_all()?;
        Ok(Self { file, written: held, turn: 0, failing: false })
    }

    /// The numbers in the file.
    pub(super) fn written(&self) -> Numbers {
        self.written
    }

    /// Writes the committed numbers before any caller hears of the commit. After a failed write the file
    /// stays behind.
    pub(super) fn write(&mut self, numbers: Numbers) {
        if numbers == self.written {
            return;
        }
        let place = (self.turn % LINES) * LINE_BYTES as u64;
        match self.file.write_all_at(&numbers.line(), place) {
            Ok(()) => {
                self.written = numbers;
                self.turn += 1;
                self.failing = false;
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "cannot note what is acknowledged");
                }
                self.failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn numbers(numbers: [u64; 4]) -> Numbers {
        Numbers(numbers)
    }

    #[test]
    fn what_was_written_last_is_read_whichever_line_has_it() {
        let directory = TempDir::new().unwrap();
        let database = directory.path().join("x.db");
        assert_eq!(read(&database).unwrap(), Said::Nothing);
        let mut file = Acknowledged::begin(&database, numbers([1, 2, 3, 4])).unwrap();
        for events in 5..9 {
            let next = numbers([events, 2, 3, u64::MAX >> 1]);
            file.write(next);
            assert_eq!(read(&database).unwrap(), Said::Acknowledged(next));
        }
        let size = beside(&database).metadata().unwrap().len();
        assert_eq!(size, LINES * LINE_BYTES as u64);
    }

    #[test]
    fn a_line_that_was_cut_off_leaves_the_other_one() {
        let directory = TempDir::new().unwrap();
        let database = directory.path().join("x.db");
        let mut file = Acknowledged::begin(&database, numbers([1, 0, 0, 0])).unwrap();
        file.write(numbers([2, 0, 0, 0]));
        file.write(numbers([3, 0, 0, 0]));
        let whole = std::fs::read(beside(&database)).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x10;
            std::fs::write(beside(&database), &damaged).unwrap();
            let Said::Acknowledged(said) = read(&database).unwrap() else { panic!("{place}") };
            assert!([2, 3].contains(&said.events()), "{place}");
        }
        for text in [&b""[..], b"junk", &[0xff; 1024]] {
            std::fs::write(beside(&database), text).unwrap();
            assert_eq!(read(&database).unwrap(), Said::Damaged);
            assert_eq!(lacking(&database, Numbers::default()).unwrap(), None);
        }
    }

    #[test]
    fn only_a_shorter_store_lacks_something() {
        let known = numbers([10, 20, 30, 40]);
        assert_eq!(known.lack(known), None);
        assert_eq!(numbers([11, 20, 35, 40]).lack(known), None);
        let loss = numbers([7, 21, 28, 40]).lack(known).unwrap();
        assert_eq!(
            loss.to_string(),
            "events: the store ends at 7, 10 was acknowledged, 3 missing; \
             rows: the store ends at 28, 30 was acknowledged, 2 missing"
        );
    }
}
