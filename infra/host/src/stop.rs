//! The one signal that ends polling. Running invocations are not touched by it:
//! whoever polls looks at it, whoever works does not.

use tokio::sync::watch;

/// The end that asks for the stop.
#[derive(Debug)]
pub(crate) struct Stopper(watch::Sender<bool>);

/// The end that is asked. Cheap to clone, one for each poller.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stopper {
    /// A connected pair.
    pub(crate) fn new() -> (Stopper, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Stop(receiver))
    }

    /// Asks every holder of the other end to stop.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether the stop was asked for.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when the stop is asked for. A dropped [`Stopper`] counts as a stop.
    pub(crate) async fn requested(&mut self) {
        // An error means that the sender is gone, which ends the polling too.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Sleeps, but not past a stop. True if the whole time has passed.
    pub(crate) async fn sleep(&mut self, duration: std::time::Duration) -> bool {
        tokio::select! {
            () = self.requested() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }
}
