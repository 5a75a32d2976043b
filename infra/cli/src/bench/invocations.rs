//! How functions were called during a measurement: how often, with how many records, for how long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callboard_host::Invocation;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

/// The invocations of one function.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// How many.
    pub invocations: u64,
    /// Records handed over in them; for HTTP one each.
    pub records: u64,
    /// Time from call to answer, on average.
    pub mean_ms: f64,
}

/// Watches until it is asked. Slower than the host by thousands of calls, it would miss some.
pub(super) struct Watch(JoinHandle<BTreeMap<Arc<str>, (u64, u64, Duration)>>);

impl Watch {
    pub(super) fn begin(
        mut observed: Receiver<Arc<Invocation>>,
        stop: Arc<tokio::sync::Notify>,
    ) -> Self {
        Self(tokio::spawn(async move {
            let mut sums: BTreeMap<Arc<str>, (u64, u64, Duration)> = BTreeMap::new();
            loop {
                let call = tokio::select! {
                    call = observed.recv() => call,
                    () = stop.notified() => return sums,
                };
                match call {
                    Ok(call) => {
                        let sum = sums.entry(call.function.clone()).or_default();
                        sum.0 += 1;
                        sum.1 += call.records as u64;
                        sum.2 += call.duration;
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return sums,
                }
            }
        }))
    }

    /// What was seen, by function.
    pub(super) async fn end(self) -> BTreeMap<String, Calls> {
        let sums = self.0.await.unwrap_or_default();
        let calls = sums
            .into_iter()
            .map(|(function, (invocations, records, time))| {
                let calls = Calls {
                    invocations,
                    records,
                    mean_ms: time.as_secs_f64() * 1_000.0 / invocations as f64,
                };
                (function.to_string(), calls)
            });
        calls.collect()
    }
}
