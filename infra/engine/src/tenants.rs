//! The accounts and regions of an engine: each has stores of its own, opened when it is first
//! called.

use crate::config::EngineError;
use crate::dynamo::Dynamo;
use crate::messages::{Messages, PublicUrl};
use crate::scope::{Scope, Unscoped};
use crate::sns::{Outside, Sender};
use crate::sqs::{self, SqsError};
use crate::state::Place;
use crate::wire::{Answer, Call, Destination};
use crate::{Clock, cloudwatch, dynamo, sns};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use tokio::runtime::Handle;

/// How many may be open beside the engine's own: in files, each holds six of the 256 that a process
/// may have open on macOS (1,024 elsewhere), and the engine itself some 25; in memory, each takes a
/// third of a megabyte, and tests may want one per test.
const KEPT_MAX: usize = 32;
const EPHEMERAL_MAX: usize = 1_000;

/// One account in one region.
#[derive(Debug)]
pub(crate) struct Tenant {
    scope: Scope,
    dynamo: Dynamo,
    messages: Messages,
    /// Whether a client has called it since the start.
    called: AtomicBool,
}

/// All that are open.
#[derive(Debug)]
pub(crate) struct Tenants {
    own: Arc<Tenant>,
    others: RwLock<BTreeMap<Scope, Arc<Tenant>>>,
    clock: Clock,
    public_url: PublicUrl,
    outside: Outside,
    /// Where the engine was opened: a caller's own runtime may end before the engine does.
    runtime: Handle,
    /// Declared last: the directory is given back after the databases are closed.
    place: Place,
}

/// Why a call came to no tenant.
#[derive(Debug)]
enum Refused {
    Unscoped(Unscoped),
    TooMany(usize),
    Failed(EngineError),
}

impl Tenant {
    fn open(
        place: &Place,
        scope: &Scope,
        clock: &Clock,
        public_url: &PublicUrl,
    ) -> Result<Arc<Tenant>, EngineError> {
        let file = |name| place.file(scope, name);
        Ok(Arc::new(Tenant {
            scope: scope.clone(),
            dynamo: Dynamo::open(file("dynamodb.sqlite")?, clock.clone(), scope)?,
            messages: Messages::open(
                file("messages.sqlite")?,
                clock.clone(),
                scope,
                public_url.clone(),
            )?,
            called: AtomicBool::new(false),
        }))
    }

    async fn answer(&self, destination: Destination, call: &Call) -> Answer {
        match destination {
            Destination::Dynamo(operation) => self.dynamo.answer(&operation, call).await,
            Destination::Sqs(operation) => {
                sqs::answer(&self.messages, &operation, &call.body).await
            }
            Destination::CloudWatch(operation) => {
                cloudwatch::answer(&self.messages, &operation, &call.body).await
            }
            Destination::Form(fields) if sqs::query::is_for_sqs(&fields, &call.path) => {
                sqs::query::answer(&self.messages, fields, call).await
            }
            Destination::Form(fields) => {
                let caller = sns::Caller {
                    trace: call.header("x-amzn-trace-id").map(str::to_owned),
                    signed: call.signed(),
                };
                sns::answer(&self.messages, fields, caller).await
            }
            Destination::OptOut(phone) => sns::opt_out(&self.messages, &phone),
            Destination::Confirmations => sns::confirmations(&self.messages),
            Destination::Texts { forget: false } => sns::kept_texts(&self.messages),
            Destination::Texts { forget: true } => sns::forget_texts(&self.messages),
            Destination::Unnamed => dynamo::unnamed(call),
            Destination::Health | Destination::Certificate | Destination::Nowhere => {
                tracing::warn!(method = %call.method, path = %call.path,
                    "a request named no service: neither X-Amz-Target nor Action");
                dynamo::not_found()
            }
        }
    }

    /// Clears away what time has ended.
    pub(crate) async fn upkeep(&self) {
        self.dynamo.upkeep().await;
        self.messages.upkeep();
    }
}

impl Tenants {
    /// Opens the engine's own, and none beside.
    pub(crate) fn open(
        place: Place,
        own: &Scope,
        clock: Clock,
        public_url: &str,
        outside: Outside,
    ) -> Result<Tenants, EngineError> {
        let public_url = PublicUrl::new(public_url, &own.region);
        let tenants = Tenants {
            own: Tenant::open(&place, own, &clock, &public_url)?,
            others: RwLock::default(),
            clock,
            public_url,
            outside,
            runtime: Handle::current(),
            place,
        };
        tenants.start(&tenants.own);
        Ok(tenants)
    }

    pub(crate) fn own_region(&self) -> &str {
        &self.own.scope.region
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn set_public_url(&self, url: &str) {
        self.public_url.set(url);
    }

    /// All that are open, the engine's own first.
    pub(crate) fn all(&self) -> Vec<Arc<Tenant>> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let own = std::iter::once(&self.own);
        own.chain(others.values()).cloned().collect()
    }

    /// Answers a call with the stores of the account and region that it is for.
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let destination = call.destination();
        if destination == Destination::Certificate
            && let Some(certificate) = sns::certificate_at(&call.path)
        {
            return Answer::pem(certificate.to_owned());
        }
        if destination == Destination::Health {
            return self.health();
        }
        match self
            .of_link(call, &destination)
            .map_or_else(|| self.of(call), Ok)
        {
            Ok(tenant) => tenant.answer(destination, call).await,
            Err(refused) => refused.answer(&destination, call),
        }
    }

    /// The tenant of a link in a message of SNS's, which bears no signature but names its topic or
    /// subscription, if somebody has called it already.
    fn of_link(&self, call: &Call, destination: &Destination) -> Option<Arc<Tenant>> {
        let Destination::Form(fields) = destination else {
            return None;
        };
        let names = ["TopicArn", "SubscriptionArn"];
        let mut fields = fields.iter();
        let (_, arn) = fields.find(|(name, _)| names.contains(&name.as_str()))?;
        if call.signed() {
            return None;
        }
        let mut parts = arn.split(':').skip(3);
        let (region, account) = (parts.next()?, parts.next()?);
        let scope = Scope {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        others.get(&scope).cloned()
    }

    fn of(&self, call: &Call) -> Result<Arc<Tenant>, Refused> {
        let scope = Scope::of(call, &self.own.scope).map_err(Refused::Unscoped)?;
        if *scope == self.own.scope {
            return Ok(self.own.clone());
        }
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let open = others.get(&*scope).cloned();
        drop(others);
        let tenant = match open {
            Some(tenant) => tenant,
            None => self.opened(scope.into_owned())?,
        };
        if !tenant.called.load(Ordering::Relaxed) {
            self.say_once(&tenant);
        }
        Ok(tenant)
    }

    /// Opens what is not open, unless somebody has done so just now.
    fn opened(&self, scope: Scope) -> Result<Arc<Tenant>, Refused> {
        let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tenant) = others.get(&scope) {
            return Ok(tenant.clone());
        }
        let limit = if self.place.is_kept() {
            KEPT_MAX
        } else {
            EPHEMERAL_MAX
        };
        if others.len() >= limit {
            return Err(Refused::TooMany(limit));
        }
        let tenant = Tenant::open(&self.place, &scope, &self.clock, &self.public_url)
            .map_err(Refused::Failed)?;
        self.start(&tenant);
        tracing::info!(account = scope.account, region = scope.region, "opened");
        others.insert(scope, tenant.clone());
        Ok(tenant)
    }

    /// Says that a client uses another region, when it is the first to do so.
    fn say_once(&self, tenant: &Tenant) {
        let (own, region) = (&self.own.scope.region, &tenant.scope.region);
        let known = self
            .all()
            .iter()
            .any(|other| other.scope.region == *region && other.called.load(Ordering::Relaxed));
        let is_first = !tenant.called.swap(true, Ordering::Relaxed);
        if is_first && !known && region != own {
            tracing::warn!(
                region,
                engines_own = own,
                "a client uses another region than the engine's own, and sees nothing of what is \
                 there (AWS_REGION, AWS_DEFAULT_REGION)"
            );
        }
    }

    /// Those of earlier starts that are not open: what was under way in them is to go on.
    pub(crate) fn asleep(&self) -> Vec<Scope> {
        let mut kept = self.place.kept();
        let open: Vec<_> = self.all();
        kept.retain(|scope| open.iter().all(|tenant| tenant.scope != *scope));
        kept
    }

    /// Opens one of earlier starts. What cannot be opened is said, and refused when it is called.
    pub(crate) fn wake(&self, scope: Scope) {
        if let Err(refused) = self.opened(scope.clone()) {
            tracing::warn!(
                account = scope.account,
                region = scope.region,
                reason = refused.terms().code,
                "an account and region of an earlier start is not there"
            );
        }
    }

    /// Starts what a tenant does by itself, but the upkeep, which is one for all.
    fn start(&self, tenant: &Arc<Tenant>) {
        let told = tenant.messages.moving();
        self.runtime.spawn(moves(Arc::downgrade(tenant), told));
        let told = tenant.messages.delivering();
        let sender = Sender::new(self.outside.clone());
        self.runtime
            .spawn(deliveries(Arc::downgrade(tenant), sender, told));
    }

    fn health(&self) -> Answer {
        let open: Vec<_> = self
            .all()
            .iter()
            .map(|tenant| json!({ "account": tenant.scope.account, "region": tenant.scope.region }))
            .collect();
        let health = json!({ "status": "ok", "open": open });
        Answer::plain_json(200, health.to_string())
    }
}

/// Moves dead letters whenever a task says so, those of tasks from before the start too.
async fn moves(tenant: Weak<Tenant>, told: Arc<tokio::sync::Notify>) {
    loop {
        let next = match tenant.upgrade() {
            Some(tenant) => sqs::advance_moves(&tenant.messages),
            None => return,
        };
        match next {
            Some(wait) => tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = told.notified() => {}
            },
            None => told.notified().await,
        }
    }
}

/// Sends to endpoints outside whatever waits for them, also what did so at the start.
async fn deliveries(tenant: Weak<Tenant>, mut sender: Sender, told: Arc<tokio::sync::Notify>) {
    loop {
        let wait = match tenant.upgrade() {
            Some(tenant) => sender.advance(&tenant.messages),
            None => return,
        };
        sender.rest(wait, &told).await;
    }
}

impl Refused {
    fn terms(self) -> Terms {
        match self {
            Refused::Unscoped(Unscoped::Incomplete(words)) => Terms {
                name: "com.amazon.coral.service#IncompleteSignatureException",
                code: "IncompleteSignature",
                status: 400,
                words,
            },
            Refused::Unscoped(Unscoped::Invalid(words)) => Terms {
                name: "com.amazon.coral.service#InvalidSignatureException",
                code: "SignatureDoesNotMatch",
                status: 403,
                words,
            },
            Refused::TooMany(limit) => Terms {
                name: "com.amazon.coral.service#LimitExceededException",
                code: "LimitExceeded",
                status: 400,
                words: format!(
                    "The engine has {limit} other accounts and regions open, and opens no more."
                ),
            },
            Refused::Failed(error) => {
                tracing::error!(%error, "an account and region could not be opened");
                Terms {
                    name: "com.amazon.coral.service#InternalFailure",
                    code: "InternalFailure",
                    status: 500,
                    words: "The request processing has failed because of an unknown error."
                        .to_owned(),
                }
            }
        }
    }

    /// The refusal as the service that was meant gives it.
    fn answer(self, destination: &Destination, call: &Call) -> Answer {
        let Terms {
            name,
            code,
            status,
            words,
        } = self.terms();
        // Of a malformed credential the words repeat the access key id, which no log needs.
        let reason = Some(words.as_str()).filter(|_| code != "IncompleteSignature");
        tracing::warn!(
            code,
            reason,
            "a request came to no account and region of the engine"
        );
        let for_sqs = || SqsError::outside(name, code, status, words.clone());
        match destination {
            Destination::Dynamo(_) => {
                // DynamoDB answers whatever is a client's fault with 400.
                let status = if status < 500 { 400 } else { status };
                let body = json!({ "__type": name, "message": words });
                Answer::json(status, body.to_string())
            }
            Destination::Sqs(operation) => for_sqs().answer(operation),
            Destination::Form(fields) if sqs::query::is_for_sqs(fields, &call.path) => {
                sqs::query::refusal(&for_sqs())
            }
            _ => sns::refusal(status, code, words),
        }
    }
}

/// A refusal in the terms of all services.
struct Terms {
    /// Of the JSON protocols.
    name: &'static str,
    /// Of the Query protocol.
    code: &'static str,
    status: u16,
    words: String,
}
