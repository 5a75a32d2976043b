//! Wiring of the function `query-api`.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(query_api::build).await
}
