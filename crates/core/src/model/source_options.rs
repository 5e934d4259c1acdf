use http::HeaderValue;
use serde::{Deserialize, Serialize};

/// What a source's owner decides through the native API alone: the Mammoth API cannot say it and
/// leaves it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceOptions {
    /// What an accepted delivery is answered, where that is not the usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<SuccessAnswer>,
}

/// A change of [`SourceOptions`]; `None` leaves what is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceOptionsChange {
    /// The new answer; `Some(None)` for the usual.
    pub answer: Option<Option<SuccessAnswer>>,
}

impl SourceOptions {
    /// Makes the change.
    pub fn apply(&mut self, change: SourceOptionsChange) {
        let SourceOptionsChange { answer } = change;
        if let Some(answer) = answer {
            self.answer = answer;
        }
    }
}

/// The longest body of a [`SuccessAnswer`], in bytes. What senders ask for is a word or a short
/// document.
pub const ANSWER_BODY_BYTES_MAX: usize = 16 << 10;

/// The longest content type of a [`SuccessAnswer`], in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 200;

/// What an accepted delivery is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuccessAnswer {
    /// The status, 200 to 299; absent for 201 to a POST and 200 to a GET.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The media type of the body; `text/plain; charset=utf-8` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body, at most [`ANSWER_BODY_BYTES_MAX`].
    pub body: String,
}

impl SuccessAnswer {
    /// Checks the limits; the answer names the member at fault and says what is wrong with it.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(status) = self.status
            && !(200..=299).contains(&status)
        {
            return Err(("status", format!("must be from 200 to 299, and is {status}")));
        }
        if let Some(content_type) = &self.content_type {
            let sound = content_type.len() <= CONTENT_TYPE_BYTES_MAX
                && content_type.contains('/')
                && HeaderValue::from_str(content_type).is_ok();
            if !sound {
                let most = CONTENT_TYPE_BYTES_MAX;
                let message = format!("must be a media type of at most {most} bytes");
                return Err(("content_type", message));
            }
        }
        if self.body.len() > ANSWER_BODY_BYTES_MAX {
            let (most, bytes) = (ANSWER_BODY_BYTES_MAX, self.body.len());
            return Err(("body", format!("must have at most {most} bytes, and has {bytes}")));
        }
        if matches!(self.status, Some(204 | 205)) && !self.body.is_empty() {
            let message = "must be empty, for an answer with this status has no body";
            return Err(("body", message.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_limits() {
        let usual = SuccessAnswer::default();
        let with = |status, content_type: &str, body: &str| SuccessAnswer {
            status: Some(status),
            content_type: Some(content_type.to_owned()),
            body: body.to_owned(),
        };
        assert_eq!(usual.check(), Ok(()));
        assert_eq!(with(202, "text/plain", "[accepted]").check(), Ok(()));
        assert_eq!(with(204, "text/plain", "").check(), Ok(()));
        let long = "x".repeat(ANSWER_BODY_BYTES_MAX + 1);
        for (wrong, member) in [
            (with(199, "text/plain", ""), "status"),
            (with(302, "text/plain", ""), "status"),
            (with(200, "text", ""), "content_type"),
            (with(200, "text/plain\r\nx: y", ""), "content_type"),
            (with(204, "text/plain", "x"), "body"),
            (with(200, "text/plain", &long), "body"),
        ] {
            assert_eq!(wrong.check().unwrap_err().0, member, "{wrong:?}");
        }
    }

    #[test]
    fn options_read_what_an_older_hookyard_wrote() {
        let empty: SourceOptions = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, SourceOptions::default());
        assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
    }
}
