//! The Lambda function `waitlist-projector`: wiring only, see the library.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(waitlist_projector::build).await
}
