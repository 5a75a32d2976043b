//! The command that everything here is measured with: another system's `OrderPlaced`, which leads
//! to one e-mail.

use serde_json::{Value, json};

/// Where orders are posted.
pub(super) const PATH: &str = "/v1/events";

/// Path and body that register recipient `number`.
pub(super) fn recipient(number: usize) -> (String, Value) {
    let path = format!("/v1/recipients/{}", id(number));
    let body = json!({ "email": format!("{}@example.com", id(number)), "name": "Dana" });
    (path, body)
}

/// Order `number` of a run, by a recipient.
pub(super) fn placed(run: &str, number: usize, recipient: usize) -> Value {
    json!({
        "eventType": "OrderPlaced",
        "eventId": format!("{run}-{number}"),
        "timestamp": "2024-01-15T10:30:00Z",
        "data": {
            "orderId": format!("ord-{run}-{number}"),
            "userId": id(recipient),
            "items": ["book", "pen"],
            "totalAmount": 29.99,
        },
    })
}

fn id(number: usize) -> String {
    format!("usr-bench-{number}")
}
