//! Every bound of the library, each with the reason for its number.

/// Bytes of one rule's text. The largest rule that AWS services accept is 2 KiB to 128 KiB; this
/// leaves room for generated value lists and still parses in milliseconds.
pub const MAX_RULE_BYTES: usize = 1 << 20;

/// Bytes of one event. Positions inside an event are 32-bit; 256 MiB is far past any webhook.
pub const MAX_EVENT_BYTES: usize = 1 << 28;

/// Nesting of objects and arrays, counted together, in rules and events. The original's limit.
pub const MAX_DEPTH: usize = 1_000;

/// Characters of one number. The original's limit.
pub const MAX_NUMBER_CHARS: usize = 1_000;

/// Characters of one object key. The original's limit.
pub const MAX_KEY_CHARS: usize = 50_000;

/// Characters of one string that a rule looks at. The original's limit.
pub const MAX_STRING_CHARS: usize = 20_000_000;

/// Distinct fields of one sub-rule. The original's limit.
pub const MAX_FIELDS_PER_SUB_RULE: usize = 256;

/// Sub-rules that the `$or`s of one rule may multiply to. The original has no limit, and 14
/// two-way `$or`s (16,384 sub-rules) take it 5.8 s; a thousand is instant here and more than a
/// person can mean.
pub const MAX_SUB_RULES: usize = 1_024;

/// Field tests that one rule may hold over all its sub-rules, so that a wide rule times a
/// large `$or` product stays within a few megabytes.
pub const MAX_FIELDS_PER_RULE: usize = 65_536;

/// Values in one field's list. The language has no limit; this one keeps a list within the
/// text bound even when it is repeated in every sub-rule.
pub const MAX_VALUES_PER_LIST: usize = 65_536;

/// `*`s in one wildcard pattern. Matching costs one search of the text for each.
pub const MAX_WILDCARDS_PER_PATTERN: usize = 128;

/// Sub-rules in one machine: they are numbered with 32 bits, and this many take gigabytes.
pub const MAX_MACHINE_SUB_RULES: usize = 20_000_000;

/// Steps that one sub-rule may take to find array elements that agree. Two fields in an array of
/// 20,000 elements take about 300,000; only an event built to be ambiguous (a key repeated with
/// large arrays below it) comes near, and it is refused after about a second and 100 MB.
pub const MAX_SEARCH_STEPS: u64 = 10_000_000;

/// Narrows a count that the limits above keep below 2^32.
pub(crate) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
