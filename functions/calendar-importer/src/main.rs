//! The Lambda binary of `calendar-importer`: wiring only.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(calendar_importer::build).await
}
