//! The AWS Event Ruler rule language: parse, compile, match.
//!
//! A rule selects JSON events. The shape of a rule follows the event's: objects lead to fields, and
//! each field has a list of alternatives. All fields must match, each by an alternative.
//!
//! ```
//! use hookyard_ruler::{Machine, Rule, explain};
//!
//! let rule = Rule::parse(
//!     r#"{
//!         "source": [{"prefix": "shop."}],
//!         "detail": {
//!             "total": [{"numeric": [">=", 100]}],
//!             "coupon": [{"exists": false}]
//!         }
//!     }"#,
//! )?;
//!
//! // Many rules at once, straight from the bytes of an event.
//! let mut machine = Machine::new();
//! machine.add("large orders", &rule)?;
//! let event = br#"{"source": "shop.berlin", "detail": {"total": 120.50}}"#;
//! assert_eq!(machine.matches(event)?, ["large orders"]);
//!
//! // Why not?
//! let explanation = explain(&rule, br#"{"source": "shop.rome", "detail": {"total": 99}}"#)?;
//! assert_eq!(
//!     explanation.to_string(),
//!     "no match\n  detail.total: 99 is not {\"numeric\": [\">=\", 100]}"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The language
//!
//! | alternative | matches |
//! | --- | --- |
//! | `"x"` | the same string; a string that is an IP literal, any literal of that address |
//! | `5`, `true`, `null` | the same number in any spelling, the same literal |
//! | `{"exactly": "x"}` | the same string, also when it is an IP literal |
//! | `{"prefix": "x"}`, `{"suffix": "x"}` | a string that starts or ends so |
//! | `{"equals-ignore-case": "x"}` | the string in any case; also inside `prefix` and `suffix` |
//! | `{"wildcard": "a*b"}` | `*` is any run of characters; `\*` and `\\` are themselves |
//! | `{"numeric": [">", 0, "<=", 5]}` | a number in the range; also one-sided, and `"="` |
//! | `{"cidr": "10.0.0.0/8"}` | an IP literal inside the block |
//! | `{"exists": true}` | any value; with `false`, none |
//! | `{"anything-but": ["x", "y"]}` | any value but these; also numbers, and `prefix`, `suffix`, `equals-ignore-case` and `wildcard` inside |
//!
//! `"$or": [{..}, {..}]` at any level means either branch. Paths are keys joined with dots, and
//! every spelling of a path by nesting and dots is the same. Where the fields of a rule are in
//! arrays of objects, the fields must match within the same element of each array.
//!
//! # How it works
//!
//! A rule becomes one *sub-rule* for each combination of `$or` branches: a list of conditions, each
//! a path with alternatives. Conditions common to several rules are kept once.
//!
//! An event is read once, without a tree. Keys are followed in a trie of the paths named by rules.
//! The rest is checked for syntax and skipped eight bytes at a step. The leaves at known paths
//! remain.
//!
//! Each sub-rule is indexed under its most selective field: values by hash, prefixes and suffixes
//! in order, ranges in an interval tree, blocks of addresses by size. A sub-rule hit by a leaf is a
//! candidate, and only candidates are tested in full. Where a value leads to many sub-rules, the
//! sub-rules are indexed again under a second field, and so on. The work for an event therefore
//! does not grow with the rules far from matching. Conditions without a look-up (`anything-but`,
//! `exists: true`, a wildcard with a `*` at both ends) are evaluated for every value of their
//! field, once for all rules with the same condition.
//!
//! # What it costs
//!
//! Matching is bounded by a number of steps for an event, over all rules and all combinations of
//! `$or` branches: [`limits::MAX_EVENT_STEPS`], or as many as the caller allows
//! ([`Machine::matches_within`]). An event with more steps is an error, never a guess. A failed
//! ending of a combination is not tried again for another combination with the same ending.
//!
//! # Differences from the original
//!
//! The reference is version 2.0.1 of the Java library. This library gives the same answers, with a
//! few exceptions:
//!
//! - `cidr-lenient-mask`: a block size may have leading zeros, a plus sign and slashes after the
//!   digits, but the digits are ASCII; the original takes the decimal digits of any script. A rule
//!   with such digits is a slip or a disguise, and is refused.
//! - Where the original contradicts itself (the answer depends on the other rules of the machine,
//!   on the order of adding, or on the run), the answer is that of the rule alone, as documented:
//!   case-insensitive patterns do not float, blocks match only addresses of the block's family,
//!   numbers are compared in shortest form, numbers and strings stay apart, overlapping sub-rules
//!   are all kept, and a removed rule is gone.
//! - An error about a rule with `$or` is the error of the first reading, with `$or` as an operator.
//! - Everything unlimited in the original has a limit here: see [`limits`].
//!
//! Oddities kept, so that a rule has the same meaning as in the original:
//!
//! - `empty-key`: a leading empty key of a rule vanishes; an empty key of an event counts only when
//!   some rule of the machine has an empty step in a path.
//! - `eic-asymmetric-fold`: a character of a case-insensitive pattern stands for the lower-case and
//!   upper-case forms only, so a title-case letter does not match the same letter.
//! - `eic-supplementary-plane`: in such a pattern, a character above U+FFFF stands for `??`.
//! - `lone-surrogate`: half of a surrogate pair is a `?`.
//! - `trailing-content`: text after the first object of a rule or an event is ignored.
//! - `ipv4-leading-zeros`, `ipv4-mapped-ipv6`: `010.0.0.1` is `10.0.0.1`, and so is `::ffff:a00:1`.
//! - `key-order-utf16`: fields are tried in the order of UTF-16 units; the order shows where
//!   `exists: false` meets arrays.
//! - `depth-over-128`, `json-limit`: nesting to 1,000 levels, numbers of 1,000 characters, keys of
//!   50,000 and strings of 20,000,000.
//!
//! The `library-crash` rules crash the original; this library refuses such rules with an error.
#![forbid(unsafe_code)]

pub mod event;
mod explain;
mod fold;
mod ip;
mod json;
pub mod limits;
pub mod machine;
mod matcher;
mod number;
pub mod rule;
mod steps;
mod wildcard;

pub use explain::{Explanation, Failure, Reason, SubRuleExplanation, explain};
pub use json::JsonError;
pub use machine::{Machine, Scratch};
pub use rule::Rule;
