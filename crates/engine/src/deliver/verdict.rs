//! The meaning of an answer for the bundle and for the endpoint.

use hookyard_core::model::{DisabledKind, RetryAction, RetryRule};

/// How often an event is refused alone before being parked, unless a rule says otherwise. By the schedule so
/// many refusals take three quarters of an hour: time enough to roll back a receiver's release.
const PARK_AFTER: u32 = 10;

/// What to do after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver took the bundle.
    Taken,
    /// The endpoint is at fault, or nobody knows: the same again later.
    Retry,
    /// One of the events is at fault: send fewer events, at once.
    Halve,
    /// The event, which was sent alone, is at fault: again later.
    Refused,
    /// The event, which was sent alone, has been refused often enough.
    Park,
    /// The bundle is not sent again.
    Drop,
    /// Nothing is sent any more.
    Disable(DisabledKind),
}

/// The failures before an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Before {
    /// The endpoint's failures in a row.
    pub(super) failures: u32,
    /// The failures of this bundle, equal to the endpoint's unless the endpoint takes several bundles at
    /// once.
    pub(super) of_bundle: u32,
    /// How often the bundle's only event was refused alone.
    pub(super) refusals: u32,
}

/// Judges an answer's status (`None` without an answer) to a bundle of `events`.
pub(super) fn verdict(
    status: Option<u16>,
    events: usize,
    before: Before,
    rules: &[RetryRule],
) -> Verdict {
    let Some(status) = status else { return Verdict::Retry };
    if (200..300).contains(&status) {
        return Verdict::Taken;
    }
    let Some(rule) = rules.iter().find(|rule| rule.status.contains(status)) else {
        return match status {
            410 => Verdict::Disable(DisabledKind::Gone),
            status if is_about_events(status) => at_fault(events, before, PARK_AFTER),
            _ => Verdict::Retry,
        };
    };
    let enough = |failures: u32| failures.saturating_add(1) >= rule.after.unwrap_or(1);
    match rule.action {
        RetryAction::Park => at_fault(events, before, rule.after.unwrap_or(PARK_AFTER)),
        RetryAction::Drop if enough(before.of_bundle) => Verdict::Drop,
        RetryAction::Disable if enough(before.failures) => Verdict::Disable(DisabledKind::Rule),
        RetryAction::Retry | RetryAction::Drop | RetryAction::Disable => Verdict::Retry,
    }
}

/// Whether a status says that the receiver will never take these events, while other events may well pass. A
/// 4xx is about the events unless the status is about the caller, the place, or the time. Taking such a
/// status for a verdict on the events would empty the queue into the dead letters while a password is wrong.
fn is_about_events(status: u16) -> bool {
    match status {
        // The caller: 401, 402, 403, 407, 451. The place: 404, 405, 410, 414, 421. The manner, the same for
        // every bundle: 406, 411, 412, 415, 416, 417, 426, 428, 431. The time: 408, 423, 425, 429.
        401..=408 | 410..=412 | 414..=417 | 421 | 423 | 425 | 426 | 428 | 429 | 431 | 451 => false,
        status => (400..500).contains(&status),
    }
}

fn at_fault(events: usize, before: Before, park_after: u32) -> Verdict {
    match events {
        2.. => Verdict::Halve,
        _ if before.refusals.saturating_add(1) >= park_after => Verdict::Park,
        _ => Verdict::Refused,
    }
}

/// Finds the event at fault among the events at the head of a queue. The findings can be lost at any moment:
/// then a whole bundle is refused once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bisection {
    /// How many events at the head have a refused event among them; 0 when nothing is known.
    suspects: usize,
}

impl Bisection {
    /// The most events of the next bundle, when the first was refused alone so often.
    pub(super) fn most(self, refusals: u32) -> usize {
        match self.suspects {
            _ if refusals > 0 => 1,
            0 => usize::MAX,
            suspects => (suspects / 2).max(1),
        }
    }

    /// How many events at the head have a refused event among them; 0 when nothing is known.
    pub(super) fn suspects(self) -> usize {
        self.suspects
    }

    /// Takes in the verdict on a bundle of `events`.
    pub(super) fn learn(&mut self, verdict: Verdict, events: usize) {
        self.suspects = match verdict {
            Verdict::Halve | Verdict::Refused => events,
            Verdict::Taken => self.suspects.saturating_sub(events),
            Verdict::Park | Verdict::Drop => 0,
            Verdict::Retry | Verdict::Disable(_) => self.suspects,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, events: usize) -> Verdict {
        verdict(Some(status), events, Before::default(), &[])
    }

    fn rule(status: &str, action: RetryAction, after: Option<u32>) -> RetryRule {
        RetryRule { status: status.parse().unwrap(), action, after }
    }

    #[test]
    fn statuses_mean_what_the_table_says() {
        for status in [200, 204, 299] {
            assert_eq!(judge(status, 5), Verdict::Taken, "{status}");
        }
        let later =
            [100, 301, 307, 401, 403, 404, 405, 407, 408, 415, 421, 425, 429, 451, 500, 503, 599];
        for status in later {
            assert_eq!(judge(status, 5), Verdict::Retry, "{status}");
            assert_eq!(judge(status, 1), Verdict::Retry, "{status}");
        }
        for status in [400, 409, 413, 418, 422, 499] {
            assert_eq!(judge(status, 2), Verdict::Halve, "{status}");
            assert_eq!(judge(status, 1), Verdict::Refused, "{status}");
        }
        assert_eq!(judge(410, 5), Verdict::Disable(DisabledKind::Gone));
        assert_eq!(verdict(None, 5, Before::default(), &[]), Verdict::Retry);
    }

    #[test]
    fn the_tenth_refusal_alone_parks() {
        let refused = |refusals| Before { refusals, ..Before::default() };
        assert_eq!(verdict(Some(422), 1, refused(8), &[]), Verdict::Refused);
        assert_eq!(verdict(Some(422), 1, refused(9), &[]), Verdict::Park);
        let rules = [rule("422", RetryAction::Park, Some(2))];
        assert_eq!(verdict(Some(422), 1, refused(0), &rules), Verdict::Refused);
        assert_eq!(verdict(Some(422), 1, refused(1), &rules), Verdict::Park);
    }

    #[test]
    fn rules_come_first_and_the_first_of_them_counts() {
        let rules = [
            rule("410", RetryAction::Retry, None),
            rule("404", RetryAction::Drop, Some(3)),
            rule("400-499", RetryAction::Disable, None),
            rule("503", RetryAction::Park, None),
        ];
        let failed = |failures| Before { failures, of_bundle: failures, refusals: 0 };
        assert_eq!(verdict(Some(410), 1, failed(99), &rules), Verdict::Retry);
        assert_eq!(verdict(Some(404), 1, failed(1), &rules), Verdict::Retry);
        assert_eq!(verdict(Some(404), 1, failed(2), &rules), Verdict::Drop);
        assert_eq!(verdict(Some(422), 1, failed(0), &rules), Verdict::Disable(DisabledKind::Rule));
        assert_eq!(verdict(Some(503), 4, failed(0), &rules), Verdict::Halve);
        assert_eq!(verdict(Some(200), 4, failed(0), &rules), Verdict::Taken);
    }

    #[test]
    fn any_offender_is_found_alone() {
        for total in 1..70_usize {
            for offender in 0..total {
                let (mut bisection, mut head, mut requests) = (Bisection::default(), 0, 0);
                loop {
                    let sent = bisection.most(0).min(total - head);
                    requests += 1;
                    let refused = (head..head + sent).contains(&offender);
                    let verdict = match (refused, sent) {
                        (true, 1) => break,
                        (true, _) => Verdict::Halve,
                        (false, _) => Verdict::Taken,
                    };
                    bisection.learn(verdict, sent);
                    head += if refused { 0 } else { sent };
                }
                assert_eq!(head, offender);
                assert!(requests <= 14, "{requests} requests for {offender} of {total}");
            }
        }
    }
}
