//! Functions with texts longer than the arguments, with a bound on the length.

use arrow::array::{Array, AsArray, StringViewArray, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::room::Room;

/// The effect of a null among the parts of a text.
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
    room: Room,
    signature: Signature,
}

impl Join {
    pub(super) fn new(nulls: Nulls, room: Room) -> Self {
        Self { nulls, room, signature: Signature::variadic_any(Volatility::Immutable) }
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
        let mut made = Made::new(&args, self.room.made());
        for row in 0..made.rows {
            let parts = texts.iter().map(|text| text.get(row));
            if self.nulls == Nulls::Kept && parts.clone().any(|part| part.is_none()) {
                made.push(None);
                continue;
            }
            let length = parts.clone().flatten().map(str::len).sum();
            made.check(length)?;
            let text: String = parts.flatten().collect();
            made.push(Some(&text));
        }
        made.finish()
    }
}

/// Replaces each occurrence of a text in another.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Replace {
    room: Room,
    signature: Signature,
}

impl Replace {
    pub(super) fn new(room: Room) -> Self {
        Self { room, signature: Signature::any(3, Volatility::Immutable) }
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
        let mut made = Made::new(&args, self.room.made());
        let [text, from, to] = texts.as_slice() else {
            return Err(DataFusionError::Plan("replace takes three texts".to_owned()));
        };
        for row in 0..made.rows {
            let (Some(text), Some(from), Some(to)) = (text.get(row), from.get(row), to.get(row))
            else {
                made.push(None);
                continue;
            };
            if from.is_empty() {
                made.push(Some(text));
                continue;
            }
            let grown = text.matches(from).count().saturating_mul(to.len());
            made.check(text.len().saturating_add(grown))?;
            made.push(Some(&text.replace(from, to)));
        }
        made.finish()
    }
}

/// An argument as texts: a single text for all rows, or a text for each row.
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

/// The texts made by a function, each within the bound.
struct Made {
    /// Rows to make: a single row when every argument is the same for all rows.
    rows: usize,
    scalar: bool,
    /// The longest result, in bytes.
    longest: usize,
    builder: StringViewBuilder,
}

impl Made {
    fn new(args: &ScalarFunctionArgs, longest: usize) -> Self {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if scalar { 1 } else { args.number_rows };
        Self { rows, scalar, longest, builder: StringViewBuilder::with_capacity(rows) }
    }

    /// Checks a text's length against the bound before the text is made.
    fn check(&self, bytes: usize) -> Result<(), DataFusionError> {
        if bytes > self.longest {
            let text = format!("a text function made more than {} bytes", self.longest);
            return Err(DataFusionError::ResourcesExhausted(text));
        }
        Ok(())
    }

    fn push(&mut self, text: Option<&str>) {
        self.builder.append_option(text);
    }

    fn finish(mut self) -> Result<ColumnarValue, DataFusionError> {
        let array = self.builder.finish();
        if self.scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(std::sync::Arc::new(array)))
    }
}
