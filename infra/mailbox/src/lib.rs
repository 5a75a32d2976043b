//! A local mailbox: a real SMTP server that keeps what it gets and shows it as
//! JSON, so that a developer and a test can read what a system has sent.
//!
//! * [`Mailbox::serve_smtp`] accepts mail; a mail is written to the store
//!   *before* its `250` is answered.
//! * [`Mailbox::serve_http`] shows it: `GET /` is a JSON array (see [`http`]).
//! * [`Mailbox::session`] speaks SMTP over any stream, for tests without
//!   sockets (`tokio::io::duplex`) and for virtual time.
//! * [`Mailbox::wait_for`] waits for a mail without polling.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use callboard_mailbox::{Mailbox, Store};
//!
//! let mailbox = Mailbox::open(Store::Memory).await.unwrap();
//! assert!(mailbox.list(&Default::default()).await.unwrap().is_empty());
//! # });
//! ```
//!
//! # Addresses that misbehave
//! The local part of a recipient asks for a fault, so that every way a provider
//! can fail is at hand in a test or by hand; see [`Fault`].
//!
//! Not here: sending mail, TLS, authentication, delivery to anybody else. It is
//! for loopback and tests only.

pub mod http;
mod mail;
mod session;
mod smtp;
mod store;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use mail::{Attachment, Mail};
pub use smtp::{Fault, MESSAGE_BYTES_MAX};
pub use store::{LIST_MAX, Query};

/// Where mails are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process; gone with it.
    Memory,
    /// In a SQLite file, made if missing. Survives a `kill -9` right after the
    /// `250`; a power cut may lose the last moments (WAL, `synchronous=NORMAL`).
    File(PathBuf),
}

/// Why the mailbox could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// The file is there but is not a mailbox, or its pages do not add up.
    #[error("the mailbox file {path} is damaged ({detail}): move it away to start with an empty mailbox", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        detail: String,
    },
    /// The file was written by a later version of this crate.
    #[error("the mailbox file {path} has format {found}, this version knows up to {known}: use the newer callboard, or move the file away", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Format found in the file.
        found: i64,
        /// Newest format this version can read.
        known: i64,
    },
    /// The file or its directory cannot be opened for writing.
    #[error("the mailbox file {path} cannot be opened for writing: {detail}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Another process holds the file's write lock.
    #[error("the mailbox file {path} is in use by another process", path = path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A statement failed after a good start, for example on a full disk.
    #[error("the mailbox could not be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// The work was dropped because the runtime is shutting down.
    #[error("the mailbox is shutting down")]
    Stopped,
}

/// Tells the time at which a mail arrived; a test or simulator puts its own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The mailbox. Cheap to clone; all clones share one store.
#[derive(Clone)]
pub struct Mailbox {
    store: store::SharedStore,
    clock: Clock,
    /// Counts changes (arrivals and deletions), so that a waiter can look again.
    changes: Arc<watch::Sender<u64>>,
}

impl Mailbox {
    /// Opens the store; a damaged, newer, locked or unwritable file is an error
    /// that says so.
    pub async fn open(store: Store) -> Result<Self, MailboxError> {
        let (changes, _) = watch::channel(0);
        Ok(Self {
            store: store::SharedStore::open(store).await?,
            clock: Arc::new(Timestamp::now),
            changes: Arc::new(changes),
        })
    }

    /// The same mailbox with another clock for `received_at`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The mails that match, oldest first; at most [`LIST_MAX`], the newest.
    pub async fn list(&self, query: &Query) -> Result<Vec<Mail>, MailboxError> {
        self.store.list(query.clone()).await
    }

    /// One mail by id.
    pub async fn get(&self, id: &str) -> Result<Option<Mail>, MailboxError> {
        match store::parse_id(id) {
            Some(id) => self.store.get(id).await,
            None => Ok(None),
        }
    }

    /// The bytes of one mail as they came, dots unstuffed.
    pub async fn raw(&self, id: &str) -> Result<Option<Vec<u8>>, MailboxError> {
        match store::parse_id(id) {
            Some(id) => self.store.raw(id).await,
            None => Ok(None),
        }
    }

    /// Removes every mail and says how many there were. Ids are not used again.
    pub async fn clear(&self) -> Result<usize, MailboxError> {
        let removed = self.store.clear().await?;
        self.changed();
        Ok(removed)
    }

    /// Keeps one mail; what a session does once the body is complete.
    pub async fn deliver(
        &self,
        from: &str,
        to: &[String],
        raw: Vec<u8>,
    ) -> Result<String, MailboxError> {
        let id = self.store.insert((self.clock)(), from, to, raw).await?;
        self.changed();
        Ok(id.to_string())
    }

    /// A counter that moves with every arrival or deletion: look, then wait for
    /// it to change, then look again, and no mail is missed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until a mail satisfies `wanted` or `patience` is over (tokio time,
    /// so it costs nothing when paused). Mails already there count.
    pub async fn wait_for(
        &self,
        patience: Duration,
        mut wanted: impl FnMut(&Mail) -> bool,
    ) -> Result<Option<Mail>, MailboxError> {
        let found = self
            .wait_until(patience, &Query::default(), |mails| {
                mails.iter().any(&mut wanted)
            })
            .await?;
        Ok(found.into_iter().find(wanted))
    }

    /// Waits until `enough` of the mails that match `query`, or until `patience`
    /// is over; answers what matches at that moment.
    pub async fn wait_until(
        &self,
        patience: Duration,
        query: &Query,
        mut enough: impl FnMut(&[Mail]) -> bool,
    ) -> Result<Vec<Mail>, MailboxError> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut changes = self.subscribe();
        loop {
            changes.borrow_and_update();
            let mails = self.list(query).await?;
            if enough(&mails) {
                return Ok(mails);
            }
            let woken = tokio::time::timeout_at(deadline, changes.changed()).await;
            if !matches!(woken, Ok(Ok(()))) {
                return Ok(mails);
            }
        }
    }

    /// Speaks SMTP over one stream until the client quits, goes away or is idle
    /// for too long.
    pub async fn session<S>(&self, stream: S) -> io::Result<()>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let (_go_on, never) = watch::channel(false);
        session::run(self, stream, never).await
    }

    /// Serves SMTP until `shutdown` ends; then open sessions are told `421` at
    /// their next command boundary, so no mail is cut off in the middle.
    pub async fn serve_smtp(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        session::serve(self, listener, shutdown).await
    }

    /// Serves the JSON interface until `shutdown` ends.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        http::serve(self, listener, shutdown).await
    }

    /// The JSON interface as a router, to mount elsewhere or to call in a test.
    pub fn router(&self) -> axum::Router {
        http::router(self.clone())
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}
