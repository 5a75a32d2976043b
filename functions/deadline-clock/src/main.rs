//! The Lambda function `deadline-clock`: wiring only, see the library.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(deadline_clock::build).await
}
