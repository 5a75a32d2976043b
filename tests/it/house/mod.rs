//! The whole system in this process, ready to be talked to.

mod door;
mod pipe;
pub mod roles;
mod still;

use std::fmt::Debug;
use std::time::Duration;

use aws_config::SdkConfig;
use callboard_cli::services::Elsewhere;
use callboard_cli::system::{Options, System};
use callboard_contracts::Timestamp;
use callboard_host::{Host, Resource};
use callboard_mailbox::{Attachment, Mailbox};
use callboard_runtime::Clock;
use callboard_testkit::policy::Ledger;
use serde::Deserialize;

pub use door::{Answer, Door};
use roles::{Watched, guarded};
pub use still::{FUNCTIONS, SES, Setup, Site};

/// Longest wait on real time, wide for a machine that builds at the same time.
const PATIENCE_LIVE: Duration = Duration::from_secs(60);

/// Longest pause between two looks on real time.
const PAUSE_LIVE: Duration = Duration::from_millis(100);

/// Longest wait on virtual time: longer than anything but an offer's window takes, retries of a
/// message included.
const PATIENCE_STILL: Duration = Duration::from_secs(1_800);

/// Longest pause between two looks on virtual time: little beside an offer's window, and long
/// enough that half an hour takes few looks.
const PAUSE_STILL: Duration = Duration::from_secs(10);

/// First pause between two looks; it grows by half each time.
const PAUSE_FIRST: Duration = Duration::from_millis(10);

/// A running system.
pub struct House {
    pub api: Door,
    post: Door,
    pub sdk: SdkConfig,
    patience: Duration,
    pause_max: Duration,
    keep: Keep,
    ledger: Watched,
}

/// What runs as long as the house stands.
enum Keep {
    Live(Box<System>),
    Still(Box<still::Parts>),
}

/// A mail as the mailbox's JSON shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Mail {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub attachments: Vec<Attachment>,
    pub headers: std::collections::BTreeMap<String, String>,
}

impl Mail {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

impl House {
    /// As `callboard dev` starts it: sockets on free ports, real SMTP, real time, with the short
    /// waits that the template's parameters allow.
    ///
    /// Services for which `AWS_ENDPOINT_URL_SQS`, `_SNS` or `_DYNAMODB` is set are used there, under
    /// names of its own.
    pub async fn live() -> Self {
        Self::live_with(Options::default()).await
    }

    pub async fn live_with(mut options: Options) -> Self {
        for (parameter, value) in [("HoldGraceSeconds", "0"), ("SecondLookSeconds", "1")] {
            let set = options.parameters.entry(parameter.to_owned());
            set.or_insert_with(|| value.to_owned());
        }
        options.elsewhere = Elsewhere::from_env();
        if !options.elsewhere.is_nowhere() {
            options.names_prefix = format!("test-{:016x}-", fastrand::u64(..));
        }
        let ledger = Ledger::default();
        options.roles = guarded(&ledger);
        let system = System::start(options).await.expect("the system starts");
        Self {
            api: Door::socket(&system.addresses().api),
            post: Door::socket(&system.addresses().mailbox),
            sdk: system.sdk().clone(),
            patience: PATIENCE_LIVE,
            pause_max: PAUSE_LIVE,
            keep: Keep::Live(Box::new(system)),
            ledger: Watched(ledger),
        }
    }

    /// In this thread, without sockets, on the runtime's time; see [`Site`].
    pub async fn still() -> Self {
        Site::new(Setup::default()).await.open().await
    }

    pub fn host(&self) -> &Host {
        match &self.keep {
            Keep::Live(system) => system.host(),
            Keep::Still(parts) => &parts.host,
        }
    }

    /// The faults between a function and its services. Only a still house has them.
    pub fn faults(&self, function: &str) -> &callboard_testkit::Faults {
        match &self.keep {
            Keep::Still(parts) => &parts.faults[function],
            Keep::Live(_) => panic!("a live house has no faults"),
        }
    }

    /// The faults of the host's own calls. Only a still house has them.
    pub fn host_faults(&self) -> &callboard_testkit::Faults {
        match &self.keep {
            Keep::Still(parts) => &parts.host_faults,
            Keep::Live(_) => panic!("a live house has no faults"),
        }
    }

    /// What each function called under its role, and what it was refused. A refusal that is not
    /// taken out fails the test when the house ends.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger.0
    }

    pub fn on_virtual_time(&self) -> bool {
        matches!(self.keep, Keep::Still(_))
    }

    pub fn now(&self) -> Timestamp {
        Clock::from_sdk(&self.sdk).now()
    }

    /// What a `Ref` of the template gives: a table's name, a queue's URL, a topic's ARN.
    pub fn reference(&self, logical_id: &str) -> String {
        let resource = self.host().resources().get(logical_id);
        let resource = resource.unwrap_or_else(|| panic!("the template has no {logical_id}"));
        resource.reference().to_owned()
    }

    /// Logical id and URL of every queue.
    pub fn queues(&self) -> Vec<(String, String)> {
        let resources = self.host().resources().iter();
        resources
            .filter_map(|(logical_id, resource)| match resource {
                Resource::Queue { url, .. } => Some((logical_id.to_owned(), url.clone())),
                _ => None,
            })
            .collect()
    }

    /// Looks until there is something to see.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        self.until_within(self.patience, what, look).await
    }

    /// The same with a patience of its own.
    pub async fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        look: impl AsyncFn() -> Option<T>,
    ) -> T {
        let deadline = tokio::time::Instant::now() + patience;
        let mut pause = PAUSE_FIRST;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if tokio::time::Instant::now() >= deadline {
                let journal = self.journal_told().await;
                let denials = self.ledger.0.take_denials();
                let denials: Vec<_> = denials.iter().map(ToString::to_string).collect();
                panic!("waited {patience:?} for {what}; refused: {denials:?}; journal:\n{journal}");
            }
            tokio::time::sleep(pause).await;
            pause = self.pause_max.min(pause * 3 / 2);
        }
    }

    /// Every mail, oldest first.
    pub async fn mails(&self) -> Vec<Mail> {
        let answer = self.post.get("/").await;
        serde_json::from_slice(&answer.body).expect("the mailbox's JSON")
    }

    /// Every mail to an address, oldest first.
    pub async fn mails_to(&self, address: &str) -> Vec<Mail> {
        let mut mails = self.mails().await;
        mails.retain(|mail| mail.to.iter().any(|to| to == address));
        mails
    }

    /// Ends it in good order.
    pub async fn close(self) {
        match self.keep {
            Keep::Live(system) => system.shutdown().await,
            Keep::Still(parts) => parts.host.shutdown().await,
        }
    }
}

/// A mailbox that keeps nothing beyond the test, on the house's time.
async fn mailbox(sdk: &SdkConfig) -> Mailbox {
    let clock = Clock::from_sdk(sdk);
    let mailbox = Mailbox::open(callboard_mailbox::Store::Memory)
        .await
        .expect("a mailbox");
    mailbox.with_clock(std::sync::Arc::new(move || {
        jiff::Timestamp::from_millisecond(clock.now().as_millis()).expect("a time in range")
    }))
}
