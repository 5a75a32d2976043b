//! Wiring of the function `command-api`.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(command_api::build).await
}
