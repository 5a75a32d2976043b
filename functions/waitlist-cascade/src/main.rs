//! The Lambda function `waitlist-cascade`: wiring only, see the library.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(waitlist_cascade::build).await
}
