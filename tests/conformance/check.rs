//! A check: a sentence about AWS, the page that says so, and the code that finds out.

use crate::aws::Aws;
use futures::future::BoxFuture;
use std::fmt;
use std::time::Duration;

/// How long one check may take. The longest waits are leases and delays of a few seconds; an
/// emulator under load takes its time.
const LIMIT: Duration = Duration::from_secs(60);

/// What a check, and everything it calls, gives.
pub type Result<T = ()> = std::result::Result<T, Failed>;

/// What was found instead of what AWS documents, in words. Any error becomes one by `?`.
#[derive(Debug)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Failed {
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words = format!("{words}: {cause}");
            source = cause.source();
        }
        Failed(words)
    }
}

/// One check, made by [`checks!`].
#[derive(Clone)]
pub struct Check {
    module: &'static str,
    sentence: &'static str,
    doc: &'static str,
    body: fn(Aws) -> BoxFuture<'static, Result>,
}

impl Check {
    /// `module` is the file's `module_path!()`, `doc` the address of the page at AWS.
    pub fn new(
        module: &'static str,
        sentence: &'static str,
        doc: &'static str,
        body: fn(Aws) -> BoxFuture<'static, Result>,
    ) -> Check {
        Check {
            module,
            sentence,
            doc,
            body,
        }
    }

    /// `sqs::messages::an_empty_body_is_refused`.
    pub fn name(&self) -> String {
        format!("{}::{}", self.group(), self.sentence)
    }

    /// Service and file, `sqs::messages`.
    pub fn group(&self) -> &'static str {
        self.module
            .split_once("::")
            .map_or(self.module, |(_, group)| group)
    }

    /// `sqs`, `sns` or `dynamo`.
    pub fn service(&self) -> &'static str {
        self.group().split("::").next().unwrap_or_default()
    }

    /// The page at AWS.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// The operation that the page describes, or the page's own name.
    pub fn operation(&self) -> &'static str {
        let page = self.doc.rsplit('/').next().unwrap_or_default();
        let page = page.split(['.', '#']).next().unwrap_or_default();
        page.strip_prefix("API_").unwrap_or(page)
    }

    /// Runs it to its end, to a panic, or to its time limit.
    pub async fn run(&self, aws: Aws) -> Result {
        let running = tokio::spawn((self.body)(aws));
        match tokio::time::timeout(LIMIT, running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Failed(format!("the check itself broke: {panic}"))),
            Err(_) => Err(Failed(format!("no result within {LIMIT:?}"))),
        }
    }
}

/// Makes a file's `pub fn checks() -> Vec<Check>` of functions, each with its page at AWS.
macro_rules! checks {
    ($($(#[$meta:meta])* $doc:expr => async fn $sentence:ident($aws:ident: Aws) $body:block)*) => {
        /// The checks of this file.
        pub fn checks() -> Vec<$crate::check::Check> {
            $($(#[$meta])* async fn $sentence($aws: $crate::aws::Aws) -> $crate::check::Result $body)*
            vec![$($crate::check::Check::new(
                module_path!(),
                stringify!($sentence),
                $doc,
                |aws| Box::pin($sentence(aws)),
            )),*]
        }
    };
}
pub(crate) use checks;

/// Fails the check with the given words unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        // A comparison of floats is not to be negated.
        let holds: bool = $condition;
        if !holds {
            return Err($crate::check::Failed(format!($($words)+)));
        }
    };
}
pub(crate) use ensure;

/// Fails the check unless both are equal; further arguments say what was compared.
macro_rules! ensure_eq {
    ($found:expr, $expected:expr $(,)?) => {
        $crate::check::ensure_eq!($found, $expected, "{}", stringify!($found))
    };
    ($found:expr, $expected:expr, $($words:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => if *found != *expected {
                return Err($crate::check::Failed(format!(
                    "{}: found {found:?}, expected {expected:?}", format!($($words)+)
                )));
            }
        }
    };
}
pub(crate) use ensure_eq;
