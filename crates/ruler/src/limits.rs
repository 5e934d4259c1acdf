//! Every bound of the library, with the reason for the number.

/// Bytes of a rule's text. The largest rule that AWS services accept is 2 KiB to 128 KiB; 1 MiB
/// leaves room for generated value lists and still parses in milliseconds.
pub const MAX_RULE_BYTES: usize = 1 << 20;

/// Bytes of an event. Positions inside an event are 32-bit; 256 MiB is far past any webhook.
pub const MAX_EVENT_BYTES: usize = 1 << 28;

/// Nesting of objects and arrays, counted together, in rules and events. The original's limit.
pub const MAX_DEPTH: usize = 1_000;

/// Characters of a number. The original's limit.
pub const MAX_NUMBER_CHARS: usize = 1_000;

/// Characters of an object key. The original's limit.
pub const MAX_KEY_CHARS: usize = 50_000;

/// Characters of a string inspected by a rule. The original's limit.
pub const MAX_STRING_CHARS: usize = 20_000_000;

/// Distinct fields of a sub-rule. The original's limit.
pub const MAX_FIELDS_PER_SUB_RULE: usize = 256;

/// The most sub-rules from the `$or`s of a rule. The original has no limit, and takes 5.8 s for 14
/// two-way `$or`s (16,384 sub-rules); a thousand is instant here and more than a person can mean.
pub const MAX_SUB_RULES: usize = 1_024;

/// Field tests of a rule over all sub-rules, so that a wide rule times a large `$or` product stays
/// within a few megabytes.
pub const MAX_FIELDS_PER_RULE: usize = 65_536;

/// Values in a field's list. The language has no limit; the limit here keeps a list within the text
/// bound even when repeated in every sub-rule.
pub const MAX_VALUES_PER_LIST: usize = 65_536;

/// `*`s in a wildcard pattern. Matching costs one search of the text for each.
pub const MAX_WILDCARDS_PER_PATTERN: usize = 128;

/// Sub-rules in a machine: numbers have 32 bits, and 20 million sub-rules take gigabytes.
pub const MAX_MACHINE_SUB_RULES: usize = 20_000_000;

/// Bytes of all paths named by a rule. A rule's text repeats no outer key, but the paths do: a key
/// of 50,000 characters over 10,000 fields would take 500 MB, and time with each comparison. Rules
/// written by people have a few kilobytes.
pub const MAX_PATH_BYTES: usize = 4 << 20;

/// Steps of an event over all rules of a machine and all combinations of `$or` branches, unless the
/// caller says otherwise. A step is a few nanoseconds: a value tested, a candidate looked at, a
/// choice of an array element. Most events take less than a hundred; two fields in an array of
/// 20,000 elements take about 300,000. Only a hostile event comes near, and is refused after a
/// fraction of a second. Such an event has a repeated key with large arrays below, or hundreds of
/// thousands of values that meet thousands of patterns.
pub const MAX_EVENT_STEPS: u64 = 20_000_000;

/// Numbers that a search remembers of failed states. The limit bounds the search's memory: four
/// bytes each, and about as much again for the hash set. A search without room left goes on without
/// remembering more, within the budget of steps.
pub const MAX_REMEMBERED: usize = 4 << 20;

/// Narrows a count kept below 2^32 by the limits above.
pub(crate) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
