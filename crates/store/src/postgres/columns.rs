//! Small conversions between columns and the model.
//!
//! PostgreSQL's texts cannot hold the character U+0000, possible in a receiver's answer or an event's id.
//! U+0000 is written as U+0001 and a `0`, and U+0001 itself as U+0001 and a `1`; no other text is changed.

use std::error::Error;

use bytes::{BufMut, Bytes, BytesMut};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

pub(super) use crate::stored::{from_json, millis, moment, to_json};
pub(super) use crate::transfer::shape::escape;
use crate::{PAGE_BYTES_MAX, StoreError};

/// A parameter of a statement.
pub(super) type Param<'a> = &'a (dyn ToSql + Sync);

/// Numbers made by the program.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Far more than any table has, and far enough from the end that sums with it do not overflow.
const UNLIMITED: i64 = 1 << 53;

/// A length or a limit; a very large one is no limit.
pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(UNLIMITED).min(UNLIMITED)
}

/// A small number of the model as PostgreSQL keeps it.
pub(super) fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A query whose rows end after a full page and one row more, as the sign of a further page: no other value
/// beyond the page is read. `weight` and `order` use columns that the query selects. The rows are in the
/// given order, with an extra column at their end.
pub(super) fn paged(sql: &str, weight: &str, order: &str) -> String {
    format!(
        "SELECT * FROM (SELECT *, coalesce(sum({weight}) OVER (ORDER BY {order} ROWS BETWEEN \
         UNBOUNDED PRECEDING AND 2 PRECEDING), 0) AS page_bytes FROM ({sql}) listed) weighed \
         WHERE page_bytes <= {PAGE_BYTES_MAX} ORDER BY {order}"
    )
}

/// Text on its way into a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        escape(self.0).as_ref().to_sql(ty, out)
    }

    accepts!(TEXT);
    to_sql_checked!();
}

/// Bytes known to be UTF-8 without U+0000, as every JSON text is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(pub(super) &'a [u8]);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(self.0);
        Ok(IsNull::No)
    }

    accepts!(TEXT);
    to_sql_checked!();
}

/// A value written by [`Text`].
struct Own(String);

impl<'a> FromSql<'a> for Own {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        <&str>::from_sql(ty, raw).map(|text| Self(unescaped(text)))
    }

    accepts!(TEXT);
}

/// A value written by [`Json`].
struct Raw(Bytes);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Bytes::copy_from_slice(raw)))
    }

    accepts!(TEXT);
}

fn unescaped(text: &str) -> String {
    if !text.contains('\u{1}') {
        return text.to_owned();
    }
    text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}")
}

/// Reading a row's columns.
pub(super) trait Columns {
    /// A column in PostgreSQL's type.
    fn get_as<'a, T: FromSql<'a>>(&'a self, column: usize) -> Result<T, StoreError>;

    /// A number that is never negative.
    fn unsigned(&self, column: usize) -> Result<u64, StoreError> {
        self.get_as::<i64>(column).map(i64::cast_unsigned)
    }

    /// A small number that is never negative.
    fn small(&self, column: usize) -> Result<u32, StoreError> {
        self.get_as::<i32>(column).map(i32::cast_unsigned)
    }

    /// A text.
    fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get_as::<Own>(column).map(|text| text.0)
    }

    /// A text; `None` for NULL.
    fn text_if(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.get_as::<Option<Own>>(column)?.map(|text| text.0))
    }

    /// A JSON text to the byte.
    fn json(&self, column: usize) -> Result<Bytes, StoreError> {
        self.get_as::<Raw>(column).map(|raw| raw.0)
    }

    /// A JSON text, unchanged to the byte; `None` for NULL.
    fn json_if(&self, column: usize) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_as::<Option<Raw>>(column)?.map(|raw| raw.0))
    }

    /// A moment.
    fn moment(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.get_as::<i64>(column).map(moment)
    }

    /// A moment; `None` for NULL.
    fn moment_if(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.get_as::<Option<i64>>(column)?.map(moment))
    }
}

impl Columns for Row {
    fn get_as<'a, T: FromSql<'a>>(&'a self, column: usize) -> Result<T, StoreError> {
        self.try_get(column).map_err(|error| StoreError::Internal(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn texts_round_trip(text in "[\u{0}\u{1}\u{2}01a]*") {
            let kept = escape(&text).into_owned();
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(unescaped(&kept), text);
        }
    }
}
