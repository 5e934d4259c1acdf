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

/// Bytes of all paths that one rule names. A rule's text repeats no outer key, its paths do: a key
/// of 50,000 characters over 10,000 fields would take 500 MB, and time with each comparison. Rules
/// that people write have a few kilobytes.
pub const MAX_PATH_BYTES: usize = 4 << 20;

/// Steps that one event may take over all rules of a machine and all combinations of their `$or`
/// branches, unless the caller says otherwise. A step is a few nanoseconds: a value tested, a
/// candidate looked at, a choice of an array element. Most events take less than a hundred; two
/// fields in an array of 20,000 elements take about 300,000. Only an event built for it (a key
/// repeated with large arrays below it, or hundreds of thousands of values that meet thousands of
/// patterns) comes near, and it is refused after a fraction of a second.
pub const MAX_EVENT_STEPS: u64 = 20_000_000;

/// Numbers that a search remembers of what has failed, which bounds its memory: at four bytes each,
/// and about as much again to find them. A search that has no room left goes on without remembering
/// more, within its steps.
pub const MAX_REMEMBERED: usize = 4 << 20;

/// Narrows a count that the limits above keep below 2^32.
pub(crate) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
