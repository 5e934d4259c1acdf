//! One pass over an event: the syntax is checked throughout, and the leaves at known paths are
//! kept.

use super::error::Error;
use super::leaves::{Leaves, OUTSIDE};
use super::paths::{FieldId, NodeId, Paths};
use crate::json::{JsonError, Scanner, Span, decode};
use crate::limits::{MAX_DEPTH, MAX_EVENT_BYTES, MAX_STRING_CHARS};
use crate::number::Number;

/// Buffers kept from event to event.
#[derive(Default)]
pub(crate) struct Buffers {
    open: Vec<Open>,
    key: Vec<u8>,
}

/// A container on the way to known paths.
#[derive(Clone, Copy)]
struct Open {
    node: NodeId,
    /// The array element around the container's leaves, or [`OUTSIDE`].
    context: u32,
    /// The container is an array element, and `context` is the element's context.
    is_element: bool,
    /// The number of an array; `None` for an object.
    array: Option<u32>,
}

/// Reads the object at the start of `event` into `leaves`; like the original, ignores the text
/// after the object.
pub(crate) fn flatten(
    paths: &Paths,
    event: &[u8],
    leaves: &mut Leaves,
    buffers: &mut Buffers,
) -> Result<(), Error> {
    if event.len() > MAX_EVENT_BYTES {
        return Err(Error::TooLarge);
    }
    leaves.reset(paths.field_count());
    buffers.open.clear();
    let mut scanner = Scanner::new(event);
    if scanner.next_token() != b'{' {
        return scanner.fail("expected an object").map_err(Error::Json);
    }
    let mut pass = Pass { paths, scanner, leaves, buffers };
    pass.run()?;
    let end = pass.scanner.pos;
    let read = event.get(..end).unwrap_or_default();
    if read.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(read) {
        Ok(_) => Ok(()),
        Err(error) => Err(JsonError::new(error.valid_up_to(), "text is not UTF-8").into()),
    }
}

struct Pass<'a, 'b> {
    paths: &'b Paths,
    scanner: Scanner<'a>,
    leaves: &'b mut Leaves,
    buffers: &'b mut Buffers,
}

impl Pass<'_, '_> {
    /// Without recursion, so that depth costs no stack.
    fn run(&mut self) -> Result<(), JsonError> {
        let root = Open { node: Paths::ROOT, context: OUTSIDE, is_element: false, array: None };
        if !self.open(root, b'}')? {
            return Ok(());
        }
        while let Some(open) = self.buffers.open.last().copied() {
            let opened = match open.array {
                None => self.member(open)?,
                Some(array) => self.element(open, array)?,
            };
            if !opened {
                self.after_value()?;
            }
        }
        Ok(())
    }

    /// Opens a container and stops at the first member or element; false for an empty container.
    fn open(&mut self, open: Open, end: u8) -> Result<bool, JsonError> {
        self.scanner.pos += 1;
        if self.buffers.open.len() >= MAX_DEPTH {
            return self.scanner.fail("nested deeper than 1,000 levels");
        }
        if self.scanner.next_token() == end {
            self.scanner.pos += 1;
            self.close(open);
            return Ok(false);
        }
        self.buffers.open.push(open);
        Ok(true)
    }

    fn close(&mut self, open: Open) {
        if let Some(array) = open.array {
            self.leaves.close_array(array);
        }
        if open.is_element {
            self.leaves.close_element(open.context);
        }
    }

    /// Reads to the next member or element, closing the containers that end before.
    #[inline]
    fn after_value(&mut self) -> Result<(), JsonError> {
        while let Some(open) = self.buffers.open.last().copied() {
            let end = if open.array.is_some() { b']' } else { b'}' };
            let byte = self.scanner.next_token();
            if byte != b',' && byte != end {
                return self.scanner.fail("expected a comma or the end of the object or array");
            }
            self.scanner.pos += 1;
            if byte == b',' {
                return Ok(());
            }
            self.close(open);
            self.buffers.open.pop();
        }
        Ok(())
    }

    /// Reads a member; true when the value is an opened container.
    #[inline]
    fn member(&mut self, open: Open) -> Result<bool, JsonError> {
        let key = self.scanner.key()?;
        let raw = self.scanner.bytes.get(key.start..key.end).unwrap_or_default();
        let node = if key.escaped {
            self.buffers.key.clear();
            decode(raw, &mut self.buffers.key);
            self.paths.follow(open.node, &self.buffers.key)
        } else {
            self.paths.follow(open.node, raw)
        };
        match node {
            None => self.skip(),
            Some(node) => self.value(node, open.context, false),
        }
    }

    /// Reads an element of an array; true when the element is an opened container.
    #[inline]
    fn element(&mut self, open: Open, array: u32) -> Result<bool, JsonError> {
        match self.scanner.next_token() {
            b'{' if !self.paths.leads_on(open.node) => self.skip(),
            b'{' | b'[' => {
                let context = self.leaves.open_element(open.context, array);
                self.value(open.node, context, true)
            }
            _ => self.scalar(open.node, open.context),
        }
    }

    fn skip(&mut self) -> Result<bool, JsonError> {
        self.scanner.skip_value(self.buffers.open.len())?;
        Ok(false)
    }

    /// Reads a value at a known node; true when the value is an opened container.
    #[inline]
    fn value(&mut self, node: NodeId, context: u32, is_element: bool) -> Result<bool, JsonError> {
        match self.scanner.next_token() {
            b'{' if !self.paths.leads_on(node) => self.skip(),
            b'{' => self.open(Open { node, context, is_element, array: None }, b'}'),
            b'[' => {
                let array = Some(self.leaves.open_array());
                self.open(Open { node, context, is_element, array }, b']')
            }
            _ => self.scalar(node, context),
        }
    }

    #[inline]
    fn scalar(&mut self, node: NodeId, context: u32) -> Result<bool, JsonError> {
        let Some(field) = self.paths.field(node) else {
            self.scanner.skip_scalar()?;
            return Ok(false);
        };
        let start = self.scanner.pos;
        match self.scanner.peek() {
            b'"' => {
                self.scanner.pos += 1;
                let span = self.scanner.string()?;
                self.string(field, context, span)?;
            }
            b'-' | b'0'..=b'9' => {
                self.scanner.number()?;
                let end = self.scanner.pos;
                let number = self.scanner.bytes.get(start..end).and_then(Number::parse);
                self.leaves.push_number(field, context, start, end, number);
            }
            first => {
                self.scanner.literal()?;
                self.leaves.push_literal(field, context, first);
            }
        }
        Ok(false)
    }

    #[inline]
    fn string(&mut self, field: FieldId, context: u32, span: Span) -> Result<(), JsonError> {
        if span.end - span.start > MAX_STRING_CHARS {
            self.check_string_length(span)?;
        }
        if span.escaped {
            let raw = self.scanner.bytes.get(span.start..span.end).unwrap_or_default();
            self.leaves.push_escaped(field, context, raw);
        } else {
            self.leaves.push_text(field, context, span.start, span.end);
        }
        Ok(())
    }

    #[cold]
    fn check_string_length(&self, span: Span) -> Result<(), JsonError> {
        let raw = self.scanner.bytes.get(span.start..span.end).unwrap_or_default();
        let mut text = Vec::new();
        decode(raw, &mut text);
        // Every byte that is not a continuation byte starts a character.
        let chars = text.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        if chars > MAX_STRING_CHARS {
            return Err(JsonError::new(span.start, "string longer than 20,000,000 characters"));
        }
        Ok(())
    }
}
