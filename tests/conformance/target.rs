//! What is checked: the embedded engine on a loopback port, or the endpoint that was named.

use crate::aws::Aws;
use crate::check::Result;
use callboard_engine::{Engine, EngineConfig};
use std::future::pending;
use tokio::net::TcpListener;

/// Must be called within a tokio runtime, which the engine then lives in.
pub async fn open() -> Result<Aws> {
    match std::env::var("CALLBOARD_CONFORMANCE_ENDPOINT") {
        Ok(endpoint) => Aws::at(endpoint.trim_end_matches('/')),
        Err(_) => Aws::at(&served().await?),
    }
}

async fn served() -> Result<String> {
    let engine = Engine::open(EngineConfig::default()).await?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    engine.set_public_url(url.clone());
    tokio::spawn(async move { engine.serve(listener, pending()).await });
    Ok(url)
}
