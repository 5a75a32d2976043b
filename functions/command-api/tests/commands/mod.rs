//! The commands of staff and of an entry: once, again, and against each other.

mod batches;
mod broadcasts;
mod entries;
mod place;
mod policies;
mod slots;

use callboard_testkit::gateway::Answer;
use serde_json::{Value, json};

use super::{Api, slot_body};

/// A commit, as an answer names it.
fn commit(answer: &Answer) -> &str {
    answer.headers["callboard-commit"].as_str()
}

/// Status and code of a refusal.
fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.problem())
}

impl Api {
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        request.send(&self.function).await
    }

    async fn with_key(&self, method: &str, path: &str, key: &str) -> Answer {
        let request = self.request(method, path).header("idempotency-key", key);
        request.send(&self.function).await
    }

    /// `e1` of `usr-1` on `w1`.
    async fn joined(&self) {
        self.register("usr-1").await;
        let body = json!({"entryId": "e1", "recipientId": "usr-1", "service": "physio"});
        let joined = self.post("/v1/waitlists/w1/entries", &body).await;
        assert_eq!(joined.status, 201, "{}", joined.text);
    }

    /// `s1` on `w1`.
    async fn released(&self) {
        let body = slot_body(self.world.now(), 60);
        let released = self.post("/v1/waitlists/w1/slots", &body).await;
        assert_eq!(released.status, 201, "{}", released.text);
    }
}
