//! `callboard demo`: one slot on its way from release to a booking, told step by
//! step and checked step by step. It knows the system only from outside.

mod narrator;
mod order;
mod poison;
mod timeline;
mod waitlist;
mod world;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use uuid::Uuid;

use crate::args::DemoArgs;
use crate::env_file::EnvFile;
use crate::error::CliError;
use crate::system::{Options, System};
pub use narrator::colours_wanted;
use narrator::{Audience, Narrator, Tone, seconds};
use world::{Failed, Step, World};

/// The demo's own system waits only this long after a deadline before it lets an
/// offer expire. The template's 5 s leave time for an acceptance in flight; nobody
/// accepts late in this story, and it should not take longer than it must.
const GRACE_SECONDS: &str = "1";

/// One run: ids that no other run has, so that it can be repeated on one system.
pub(crate) struct Story<W> {
    pub(crate) world: World,
    pub(crate) narrator: Narrator<W>,
    /// Six letters and digits in every id of this run.
    pub(crate) run: String,
}

/// Runs the demo on a system of its own, or on the one that an env file describes.
///
/// # Errors
/// [`CliError::Demo`] names the step that failed and what was found there.
pub async fn run(args: &DemoArgs) -> Result<(), CliError> {
    let begun = Instant::now();
    let mut narrator = Narrator::stdout(args.json);
    narrator.line(
        Tone::Title,
        "Callboard: a released slot becomes an accepted offer and a delivered e-mail",
    )?;
    match &args.env_file {
        Some(path) => {
            let env = EnvFile::read(path)?;
            narrator.line(Tone::Faint, &format!("on the system of {}", path.display()))?;
            tell(env, path, narrator, begun).await
        }
        None => {
            let system = System::start(own_system()).await?;
            let ready = format!(
                "on a system of its own, ready in {}",
                seconds(begun.elapsed())
            );
            narrator.line(Tone::Faint, &ready)?;
            let origin = PathBuf::from("the demo's own system");
            let outcome = tell(system.env().clone(), &origin, narrator, begun).await;
            system.shutdown().await;
            outcome
        }
    }
}

fn own_system() -> Options {
    let mut options = Options::default();
    options
        .parameters
        .insert("HoldGraceSeconds".to_owned(), GRACE_SECONDS.to_owned());
    options
}

/// Tells the whole story and judges it.
async fn tell<W: Write>(
    env: EnvFile,
    origin: &Path,
    narrator: Narrator<W>,
    begun: Instant,
) -> Result<(), CliError> {
    let id = Uuid::new_v4().simple().to_string();
    let mut story = Story {
        world: World::new(env, origin)?,
        narrator,
        run: id[..6].to_owned(),
    };
    match story.scenes().await {
        Ok(()) => story.narrator.end(None, begun.elapsed()),
        Err(Failed(reason)) => {
            story.narrator.end(Some(&reason), begun.elapsed())?;
            Err(CliError::Demo {
                step: story.narrator.current_step().to_owned(),
                reason,
            })
        }
    }
}

impl<W: Write> Story<W> {
    async fn scenes(&mut self) -> Step<()> {
        let waitlist = self.waitlist().await?;
        let order = self.order().await?;
        self.poison().await?;
        self.every_mail(&waitlist, &order).await?;
        self.timeline(&waitlist).await
    }

    /// An id that only this run uses.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{name}-{}", self.run)
    }
}

impl From<CliError> for Failed {
    fn from(error: CliError) -> Self {
        Self(error.to_string())
    }
}

/// Runs the demo on a running system and tells it to `out`, without colours; what a
/// test wants.
///
/// # Errors
/// As [`run`].
pub async fn run_on(env: EnvFile, out: impl Write) -> Result<(), CliError> {
    let narrator = Narrator::new(out, Audience::Person { colours: false });
    tell(
        env,
        Path::new("the given variables"),
        narrator,
        Instant::now(),
    )
    .await
}

/// The terminal may be gone (`callboard demo | head`); that is no failure of a step.
pub fn is_broken_pipe(error: &CliError) -> bool {
    matches!(error, CliError::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}
