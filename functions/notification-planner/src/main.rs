//! The Lambda binary of `notification-planner`: wiring only.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    callboard_runtime::function::main(notification_planner::build).await
}
