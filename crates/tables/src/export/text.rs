use hookyard_core::model::Row;
use hookyard_core::table::csv::{self, Formulas};
use hookyard_core::table::{Column, Flattener, Leaves, ndjson};

use super::Encoder;
use crate::reader::stamp;
use crate::{Error, Schema};

/// How rows are taken apart.
struct Flat {
    columns: Vec<Column>,
    flattener: Flattener,
    /// Whether some row has something beyond the columns.
    rest: bool,
}

impl Flat {
    fn new(schema: &Schema) -> Self {
        let inference = &schema.inference;
        Self {
            columns: inference.columns().to_vec(),
            flattener: Flattener::whole(inference),
            rest: inference.rest() > 0,
        }
    }

    fn each(&self, rows: &[Row], mut write: impl FnMut(&Row, &Leaves<'_>)) -> Result<(), Error> {
        let mut leaves = Leaves::default();
        for row in rows {
            self.flattener.flatten(&row.cell, &mut leaves)?;
            if leaves.rest().is_some() && !self.rest {
                return Err(Error::Changed);
            }
            write(row, &leaves);
        }
        Ok(())
    }
}

pub(super) struct Csv {
    flat: Option<Flat>,
    formulas: Formulas,
}

impl Csv {
    pub(super) fn new(schema: Option<&Schema>, formulas: Formulas) -> Self {
        Self { flat: schema.map(Flat::new), formulas }
    }
}

impl Encoder for Csv {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match &self.flat {
            Some(flat) => csv::header(out, &flat.columns, flat.rest, self.formulas),
            None => csv::cells_header(out),
        }
        Ok(())
    }

    fn rows(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(flat) = &self.flat else {
            for row in rows {
                csv::cell(out, stamp(row), &row.cell);
            }
            return Ok(());
        };
        flat.each(rows, |row, leaves| {
            csv::row(out, stamp(row), &flat.columns, leaves, flat.rest, self.formulas);
        })
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

pub(super) struct Ndjson {
    flat: Option<Flat>,
}

impl Ndjson {
    pub(super) fn new(schema: Option<&Schema>) -> Self {
        Self { flat: schema.map(Flat::new) }
    }
}

impl Encoder for Ndjson {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn rows(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<(), Error> {
        let Some(flat) = &self.flat else {
            for row in rows {
                ndjson::cell(out, &row.cell);
            }
            return Ok(());
        };
        flat.each(rows, |row, leaves| ndjson::row(out, stamp(row), &flat.columns, leaves))
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}
