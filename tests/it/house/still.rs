//! The house without sockets, on the runtime's time: engine in process, functions on the host
//! with faults of their own, SMTP through pipes. The same template, the same functions.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use callboard_cli::system::{TEMPLATE, TEMPLATE_NAME};
use callboard_engine::{Clock, Engine, EngineConfig};
use callboard_host::{Host, HostConfig, Registry, Resources, Service};
use callboard_mailbox::Mailbox;
use callboard_template::{Parameters, Stack};
use callboard_testkit::policy::Ledger;
use callboard_testkit::time::virtual_start;
use callboard_testkit::{Fault, Faults};

use super::roles::{Watched, guarded};
use super::{Door, House, Keep, PATIENCE_STILL, PAUSE_STILL, mailbox, pipe};

/// Stands before every physical name here.
const PREFIX: &str = "test-";

/// Base of the links in mails. Nothing listens there: a test takes the path.
const PUBLIC_URL: &str = "http://board.example";

/// Seed of what is drawn in a still house.
const SEED: u64 = 7;

/// The template's `MailTransport` for SES.
pub const SES: &str = "ses";

/// Mails that a still house's SES takes: more than any test sends there.
const SES_MAILS_MAX: usize = 100;

/// Every function of the template.
pub const FUNCTIONS: [&str; 9] = [
    "command-api",
    "query-api",
    "outbox-relay",
    "waitlist-cascade",
    "waitlist-projector",
    "deadline-clock",
    "calendar-importer",
    "notification-planner",
    "email-sender",
];

/// A function's name, its service, and what shall stand around it.
type Layer = Box<dyn Fn(&str, Service) -> Service + Send + Sync>;

/// How a still house differs from the template's defaults.
pub struct Setup {
    pub template: String,
    pub parameters: BTreeMap<String, String>,
    pub layer: Layer,
}

impl Default for Setup {
    /// The template's own waits: they cost nothing on virtual time.
    fn default() -> Self {
        Self {
            template: TEMPLATE.to_owned(),
            parameters: BTreeMap::new(),
            layer: Box::new(|_, service| service),
        }
    }
}

impl Setup {
    /// With a layer around every function.
    pub fn layered<L>(layer: L) -> Self
    where
        L: Fn(&str, Service) -> Service + Send + Sync + 'static,
    {
        Self {
            layer: Box::new(layer),
            ..Self::default()
        }
    }
}

/// Where a house will stand: the engine runs, nothing polls yet.
pub struct Site {
    engine: Engine,
    stack: Stack,
    setup: Setup,
    faults: BTreeMap<&'static str, Faults>,
    host_faults: Faults,
}

/// A still house's parts.
pub(super) struct Parts {
    pub(super) host: Host,
    pub(super) faults: BTreeMap<&'static str, Faults>,
    pub(super) host_faults: Faults,
    _engine: Engine,
}

impl Site {
    pub async fn new(setup: Setup) -> Self {
        let engine = Engine::open(EngineConfig {
            clock: Clock::tokio(virtual_start()),
            ..EngineConfig::default()
        });
        let mut parameters = Parameters::default()
            .with("MailTransport", "smtp://127.0.0.1:25")
            .with("PublicUrl", PUBLIC_URL)
            .with("LinkKeys", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE");
        parameters.values.extend(setup.parameters.clone());
        let stack = callboard_template::load(TEMPLATE_NAME, &setup.template, &parameters);
        let engine = engine.await.expect("the engine opens");
        // Jitter is drawn from this thread's generator: the same in every run.
        fastrand::seed(SEED);
        let around = || Faults::around(engine.http_client());
        Self {
            stack: stack.unwrap_or_else(|problems| panic!("{problems}")),
            setup,
            faults: FUNCTIONS.map(|name| (name, around())).into(),
            host_faults: around(),
            engine,
        }
    }

    /// The faults that a function will meet from its first call.
    pub fn faults(&self, function: &str) -> &Faults {
        &self.faults[function]
    }

    pub fn sdk(&self) -> SdkConfig {
        self.engine.sdk_config()
    }

    /// Makes tables, queues and topics, so that a test can put something there before anything
    /// polls.
    pub async fn provision(&self) -> Resources {
        callboard_host::provision(&self.stack, &self.sdk(), PREFIX)
            .await
            .expect("resources")
    }

    /// Starts the functions.
    pub async fn open(self) -> House {
        let sdk = self.sdk();
        let post = mailbox(&sdk).await;
        let registry = registry(&self.faults, &post).wrapped(self.setup.layer);
        let config = HostConfig {
            names_prefix: PREFIX.to_owned(),
            ..HostConfig::new(self.stack, self.host_faults.sdk_config(&sdk), registry)
        };
        let ledger = Ledger::default();
        let config = HostConfig {
            function_sdk: with_ses(&sdk),
            roles: guarded(&ledger),
            ..config
        };
        let host = Host::start(config).await.expect("the host starts");
        House {
            api: Door::Router(host.router()),
            post: Door::Router(post.router()),
            sdk,
            patience: PATIENCE_STILL,
            pause_max: PAUSE_STILL,
            keep: Keep::Still(Box::new(Parts {
                host,
                faults: self.faults,
                host_faults: self.host_faults,
                _engine: self.engine,
            })),
            ledger: Watched(ledger),
        }
    }
}

/// The engine's services, and beside them an SES that takes every mail and delivers none.
fn with_ses(engine: &SdkConfig) -> SdkConfig {
    let ses = Faults::around(engine.http_client().expect("the engine's client"));
    let taken = Fault::Answer(200, r#"{"MessageId":"taken"}"#.to_owned());
    ses.times("SendEmail", SES_MAILS_MAX, &taken);
    ses.sdk_config(engine)
}

macro_rules! with_faults {
    ($faults:expr, $($name:literal => $function:ident),+ $(,)?) => {
        Registry::new()$(.with($name, {
            let faults = $faults[$name].clone();
            move |vars, sdk| {
                let sdk = faults.before(&sdk);
                async move { $function::build(&vars, &sdk).await }
            }
        }))+
    };
}

/// The functions, each behind faults of its own, and the sender on a pipe.
fn registry(faults: &BTreeMap<&'static str, Faults>, post: &Mailbox) -> Registry {
    let (post, senders) = (post.clone(), faults["email-sender"].clone());
    with_faults! { faults,
        "command-api" => command_api,
        "query-api" => query_api,
        "outbox-relay" => outbox_relay,
        "waitlist-cascade" => waitlist_cascade,
        "waitlist-projector" => waitlist_projector,
        "deadline-clock" => deadline_clock,
        "calendar-importer" => calendar_importer,
        "notification-planner" => notification_planner,
    }
    .with("email-sender", move |vars, sdk| {
        let (sdk, provider) = (senders.before(&sdk), pipe::smtp(&post));
        async move {
            if vars["MAIL_TRANSPORT"] == SES {
                return email_sender::build(&vars, &sdk).await;
            }
            email_sender::build_with(&vars, &sdk, provider).await
        }
    })
}
