use std::io::{self, Write};
use std::sync::Arc;

use hookyard_core::model::Row;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::Encoder;
use crate::batch::Layout;
use crate::{Error, Schema};

/// Bytes gathered in a row group before the write. Larger groups read better. An export keeps a group in
/// memory, and the format allows 32,767 groups: a terabyte of cells.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Leading bytes of a value in the file's statistics.
const STATISTICS_BYTES: usize = 64;

pub(super) struct Parquet {
    layout: Layout,
    writer: ArrowWriter<Pipe>,
}

/// The bytes written and not yet taken.
#[derive(Default)]
struct Pipe(Vec<u8>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Parquet {
    pub(super) fn new(schema: Option<&Schema>) -> Result<Self, Error> {
        let layout = match schema {
            Some(schema) => Layout::whole(&schema.inference, false),
            None => Layout::cells(),
        };
        let properties = WriterProperties::builder()
            .set_created_by(format!("hookyard {}", env!("CARGO_PKG_VERSION")))
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_statistics_truncate_length(Some(STATISTICS_BYTES))
            .build();
        // Only Arrow's own readers need a copy of Arrow's schema.
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let schema = Arc::clone(layout.schema());
        let writer = ArrowWriter::try_new_with_options(Pipe::default(), schema, options);
        Ok(Self { layout, writer: writer.map_err(failed)? })
    }

    fn drain(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.writer.inner_mut().0);
    }
}

impl Encoder for Parquet {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), Error> {
        Ok(())
    }

    fn rows(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<(), Error> {
        let batch = self.layout.batch(rows)?;
        self.writer.write(&batch).map_err(failed)?;
        if self.writer.memory_size() > ROW_GROUP_BYTES {
            self.writer.flush().map_err(failed)?;
        }
        self.drain(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.writer.finish().map_err(failed)?;
        self.drain(out);
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn failed(error: parquet::errors::ParquetError) -> Error {
    Error::Internal(error.to_string())
}
