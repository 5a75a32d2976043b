//! The Lambda binary of `email-sender`: wiring only.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(email_sender::build).await
}
