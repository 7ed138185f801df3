//! Errors as RFC 9457 problem details, and the one place where a class of error has its HTTP status.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What sort of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Not allowed, or not known to be who they say.
    Denied,
    /// What was sent is off.
    Invalid,
    /// Not there, or not for this caller to know about.
    Missing,
    /// It does not fit how things stand now.
    Conflict,
    /// Not now; try again later.
    Busy,
    /// Something broke on the server.
    Fault,
}

impl Class {
    /// The HTTP status of errors of this class, where nothing more precise is known.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Denied => 403,
            Self::Invalid => 422,
            Self::Missing => 404,
            Self::Conflict => 409,
            Self::Busy => 503,
            Self::Fault => 500,
        }
    }

    /// The class that a status stands for; every status of an error stands for one.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Denied,
            404 | 410 => Self::Missing,
            409 | 412 => Self::Conflict,
            408 | 429 | 502 | 503 | 504 => Self::Busy,
            400..=499 => Self::Invalid,
            _ => Self::Fault,
        }
    }

    /// A short title that is the same for every error of the class (RFC 9457 section 3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Denied => "Not allowed",
            Self::Invalid => "Not understood",
            Self::Missing => "Not found",
            Self::Conflict => "Does not fit how things stand",
            Self::Busy => "Not now",
            Self::Fault => "Something broke",
        }
    }
}

/// One field of the input and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// Which field, as a path: `items[0].role`.
    pub field: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI for the sort of problem: `urn:wane:problem:` and the code.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// A short title, the same for every problem of its class.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is the matter here, and what to do next.
    #[serde(default)]
    pub detail: String,
    /// A stable word for programs, in kebab case: `not-signed-in`.
    #[serde(default)]
    pub code: String,
    /// The fields of the input that are wrong, if that is what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// Why, where there are several reasons, most useful first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

impl Problem {
    /// A problem of a class, with the class's own status.
    #[must_use]
    pub fn new(class: Class, code: &str, detail: impl Into<String>) -> Self {
        Self::with_status(class.status(), code, detail)
    }

    /// A problem with a more precise status than its class has.
    #[must_use]
    pub fn with_status(status: u16, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:wane:problem:{code}"),
            title: Class::of_status(status).title().to_owned(),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            fields: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// Names one field of the input that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, problem: impl Into<String>) -> Self {
        self.fields.push(Field { field: field.into(), problem: problem.into() });
        self
    }

    /// Adds reasons.
    #[must_use]
    pub fn because(mut self, reasons: impl IntoIterator<Item = String>) -> Self {
        self.reasons.extend(reasons);
        self
    }

    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::of_status(self.status)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = if self.detail.is_empty() { &self.title } else { &self.detail };
        f.write_str(said)?;
        for Field { field, problem } in &self.fields {
            write!(f, "\n  `{field}`: {problem}")?;
        }
        for reason in &self.reasons {
            write!(f, "\n  {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_keeps_its_status() {
        for class in [Class::Denied, Class::Invalid, Class::Missing, Class::Conflict, Class::Busy, Class::Fault] {
            assert_eq!(Class::of_status(class.status()), class);
        }
        for (status, class) in [
            (400, Class::Invalid),
            (401, Class::Denied),
            (405, Class::Invalid),
            (413, Class::Invalid),
            (415, Class::Invalid),
            (429, Class::Busy),
            (504, Class::Busy),
            (500, Class::Fault),
            (599, Class::Fault),
        ] {
            assert_eq!(Class::of_status(status), class, "{status}");
        }
    }

    #[test]
    fn a_foreign_problem_is_still_read() {
        let read: Problem = serde_json::from_str(r#"{"status":404,"title":"Not Found","instance":"/x"}"#).unwrap();
        assert_eq!(
            (read.class(), read.kind.as_str(), read.to_string().as_str()),
            (Class::Missing, "about:blank", "Not Found")
        );
    }

    #[test]
    fn people_see_fields_and_reasons() {
        let problem = Problem::new(Class::Invalid, "bad-input", "the input is off")
            .field("duration", "`2 moons` is not a duration")
            .because(["a ticket is needed".to_owned()]);
        assert_eq!(
            problem.to_string(),
            "the input is off\n  `duration`: `2 moons` is not a duration\n  a ticket is needed"
        );
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(json["type"], "urn:wane:problem:bad-input");
        assert_eq!(json["status"], 422);
    }
}
