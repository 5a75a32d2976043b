//! The Lambda binary of `outbox-relay`: wiring only.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(outbox_relay::build).await
}
