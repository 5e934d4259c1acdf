//! Functions whose texts are longer than what they are made of, with a bound on that.

use std::borrow::Cow;

use arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// Bytes that one function may make of the rows that it gets at a time.
const MADE_BYTES_MAX: usize = 32 << 20;

/// What a null among the parts of a text makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Nulls {
    /// Nothing: `concat`.
    Skipped,
    /// Null: `||`.
    Kept,
}

/// Puts texts together.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Join {
    nulls: Nulls,
    signature: Signature,
}

impl Join {
    pub(super) fn new(nulls: Nulls) -> Self {
        Self { nulls, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Join {
    fn name(&self) -> &str {
        match self.nulls {
            Nulls::Skipped => "concat",
            Nulls::Kept => "||",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let texts = Texts::all(&args.args)?;
        let mut made = Made::new(&args);
        for row in 0..made.rows {
            let parts = texts.iter().map(|text| text.get(row));
            if self.nulls == Nulls::Kept && parts.clone().any(|part| part.is_none()) {
                made.push(None)?;
                continue;
            }
            let length = parts.clone().flatten().map(str::len).sum();
            made.reserve(length)?;
            let text: String = parts.flatten().collect();
            made.push(Some(&text))?;
        }
        made.finish()
    }
}

/// Replaces each occurrence of a text in another.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Replace {
    signature: Signature,
}

impl Replace {
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(3, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Replace {
    fn name(&self) -> &'static str {
        "replace"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let texts = Texts::all(&args.args)?;
        let mut made = Made::new(&args);
        let [text, from, to] = texts.as_slice() else {
            return Err(DataFusionError::Plan("replace takes three texts".to_owned()));
        };
        for row in 0..made.rows {
            let (Some(text), Some(from), Some(to)) = (text.get(row), from.get(row), to.get(row))
            else {
                made.push(None)?;
                continue;
            };
            if from.is_empty() {
                made.push(Some(text))?;
                continue;
            }
            let grown = text.matches(from).count().saturating_mul(to.len());
            made.reserve(text.len().saturating_add(grown))?;
            made.push(Some(&text.replace(from, to)))?;
        }
        made.finish()
    }
}

/// An argument as texts: one for all rows, or one for each.
enum Texts {
    One(Option<String>),
    Each(StringViewArray),
}

impl Texts {
    fn all(args: &[ColumnarValue]) -> Result<Vec<Self>, DataFusionError> {
        let read = |arg: &ColumnarValue| match arg {
            ColumnarValue::Scalar(value) => match value.cast_to(&DataType::Utf8)? {
                ScalarValue::Utf8(text) => Ok(Self::One(text)),
                other => Err(DataFusionError::Plan(format!("{other} is no text"))),
            },
            ColumnarValue::Array(array) => {
                Ok(Self::Each(cast(array, &DataType::Utf8View)?.as_string_view().clone()))
            }
        };
        args.iter().map(read).collect()
    }

    fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::One(text) => text.as_deref(),
            Self::Each(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// What a function makes, within the bound.
struct Made {
    /// Rows to make: one when all arguments are one for all.
    rows: usize,
    scalar: bool,
    bytes: usize,
    builder: StringViewBuilder,
}

impl Made {
    fn new(args: &ScalarFunctionArgs) -> Self {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        Self { rows, scalar, bytes: 0, builder: StringViewBuilder::with_capacity(rows) }
    }

    /// Sees to it that so many more bytes are within the bound before anyone makes them.
    fn reserve(&self, bytes: usize) -> Result<(), DataFusionError> {
        if self.bytes.saturating_add(bytes) > MADE_BYTES_MAX {
            let text = format!("a text function made more than {MADE_BYTES_MAX} bytes");
            return Err(DataFusionError::ResourcesExhausted(text));
        }
        Ok(())
    }

    fn push(&mut self, text: Option<&str>) -> Result<(), DataFusionError> {
        let text = text.map(Cow::Borrowed);
        let length = text.as_ref().map_or(0, |text| text.len());
        self.reserve(length)?;
        self.bytes += length;
        self.builder.append_option(text);
        Ok(())
    }

    fn finish(mut self) -> Result<ColumnarValue, DataFusionError> {
        let array = self.builder.finish();
        if self.scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(std::sync::Arc::new(array)))
    }
}
