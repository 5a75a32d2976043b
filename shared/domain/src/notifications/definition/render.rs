//! Filling a wording: strict about what is missing, and silent about whom it is for.

use std::collections::BTreeMap;
use std::fmt;

use callboard_contracts::Timestamp;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, escape_formatter};
use serde::Serialize;

use crate::problem::Problem;
use crate::when::Zone;

/// Longest subject in bytes: a line of a mail has at most 998 (RFC 5322 section 2.1.1), and
/// beyond some 70 nobody reads on.
pub const SUBJECT_BYTES_MAX: usize = 500;

/// Variable under which the zone of the times stands while a wording is filled.
const ZONE: &str = "told_in";

/// What a wording is filled with.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Context<'a> {
    /// The event's data, from the journal.
    pub data: &'a serde_json::Value,
    /// The event's personal fields, from `contacts`; an object.
    pub personal: &'a serde_json::Value,
    /// Whom it is for.
    pub recipient: Person<'a>,
    /// Signed links by name.
    pub links: &'a BTreeMap<String, String>,
    /// When the event happened.
    pub time: Timestamp,
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Person<'a> {
    /// How the person is called, if that is known.
    pub name: Option<&'a str>,
    /// The person's IANA time zone, if that is known.
    pub zone: Option<&'a str>,
}

/// A part of a wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The subject line.
    Subject,
    /// The plain text.
    Text,
    /// The same as HTML.
    Html,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    /// The file that holds it.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Subject => "subject.txt",
            Self::Text => "body.txt",
            Self::Html => "body.html",
        }
    }
}

/// A filled wording. It may hold personal data, so it is printed nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject: one line without control characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").finish_non_exhaustive()
    }
}

/// What went wrong when a wording was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenderProblem {
    /// The wording asks for a value that is not there.
    Missing,
    /// A value that `when` gets is not a time.
    NotATime,
    /// The subject holds a line break or another control character.
    ControlCharacter,
    /// The subject is empty.
    EmptySubject,
    /// The subject is longer than [`SUBJECT_BYTES_MAX`].
    LongSubject,
    /// No such wording is loaded.
    NoWording,
    /// Anything else that the template engine refused.
    Template,
}

impl RenderProblem {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "a value that the wording asks for is missing",
            Self::NotATime => "a value is not an RFC 3339 time",
            Self::ControlCharacter => "the subject would hold a control character",
            Self::EmptySubject => "the subject would be empty",
            Self::LongSubject => "the subject would be too long",
            Self::NoWording => "there is no such wording",
            Self::Template => "the wording cannot be filled with these data",
        }
    }
}

/// A wording that could not be filled. It names no value: values may be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{definition}/{}{}: {}", .part.file_name(), Line(*.line), .problem.as_str())]
pub struct RenderError {
    /// The definition.
    pub definition: String,
    /// The part.
    pub part: Part,
    /// The line of the template, from 1, if it is known.
    pub line: Option<usize>,
    /// What went wrong.
    pub problem: RenderProblem,
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// All wordings, compiled.
pub(super) struct Wordings {
    templates: Environment<'static>,
}

impl Wordings {
    pub(super) fn new() -> Self {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // `null` would be printed as `none`; for a reader it is as missing as what is not there.
        templates.set_formatter(|out, state, value| {
            if value.is_none() {
                return Err(Error::from(ErrorKind::UndefinedError));
            }
            escape_formatter(out, state, value)
        });
        let mut wordings = Self { templates };
        wordings.tell_in(Zone::default());
        wordings
    }

    /// Tells times in `zone` where a wording is filled without one.
    pub(super) fn tell_in(&mut self, zone: Zone) {
        let filter = move |state: &State<'_, '_>, value: &str| when_filter(state, value, &zone);
        self.templates.add_filter("when", filter);
    }

    pub(super) fn add(&mut self, id: &str, part: Part, text: &str) -> Option<Problem> {
        let name = template_name(id, part);
        let error = self
            .templates
            .add_template_owned(name.clone(), text.to_owned())
            .err()?;
        let place = error
            .line()
            .map_or_else(String::new, |line| format!("line {line}"));
        let detail = error.detail().unwrap_or("not a template").to_owned();
        Some(Problem::new(name, place, detail))
    }

    pub(super) fn render(
        &self,
        id: &str,
        zone: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Rendered, RenderError> {
        let context = Value::from(Serde(WithZone {
            context,
            told_in: zone,
        }));
        let subject = self.part(id, Part::Subject, &context)?;
        check_subject(&subject).map_err(|problem| RenderError {
            definition: id.to_owned(),
            part: Part::Subject,
            line: None,
            problem,
        })?;
        Ok(Rendered {
            subject,
            text: self.part(id, Part::Text, &context)?,
            html: self.part(id, Part::Html, &context)?,
        })
    }

    fn part(&self, id: &str, part: Part, context: &Value) -> Result<String, RenderError> {
        self.templates
            .get_template(&template_name(id, part))
            .and_then(|template| template.render(context.clone()))
            .map_err(|error| RenderError {
                definition: id.to_owned(),
                part,
                line: error.line(),
                problem: problem_of(&error),
            })
    }
}

#[derive(Serialize)]
struct WithZone<'a> {
    #[serde(flatten)]
    context: &'a Context<'a>,
    told_in: Option<&'a str>,
}

fn template_name(id: &str, part: Part) -> String {
    format!("{id}/{}", part.file_name())
}

fn problem_of(error: &Error) -> RenderProblem {
    match error.kind() {
        ErrorKind::UndefinedError => RenderProblem::Missing,
        ErrorKind::CannotDeserialize => RenderProblem::NotATime,
        ErrorKind::TemplateNotFound => RenderProblem::NoWording,
        _ => RenderProblem::Template,
    }
}

fn check_subject(subject: &str) -> Result<(), RenderProblem> {
    // U+2028 and U+2029 are line breaks too, though not control characters.
    if subject.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}') {
        return Err(RenderProblem::ControlCharacter);
    }
    if subject.trim().is_empty() {
        return Err(RenderProblem::EmptySubject);
    }
    if subject.len() > SUBJECT_BYTES_MAX {
        return Err(RenderProblem::LongSubject);
    }
    Ok(())
}

/// The filter `when`: an RFC 3339 time, told in the zone under [`ZONE`], else in `usual`.
fn when_filter(state: &State<'_, '_>, value: &str, usual: &Zone) -> Result<String, Error> {
    let named = state.lookup(ZONE);
    let zone = named.and_then(|zone| zone.as_str()?.parse::<Zone>().ok());
    // The kind is the message: the value itself must not appear in an error.
    let not_a_time = || Error::from(ErrorKind::CannotDeserialize);
    let time = value.parse().map_err(|_| not_a_time())?;
    let told = zone.as_ref().unwrap_or(usual).tell(time);
    Ok(told.ok_or_else(not_a_time)?.to_string())
}
