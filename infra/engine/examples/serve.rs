//! The bare engine on a port: `cargo run -p callboard-engine --example serve -- PORT [DIRECTORY]`.

#![allow(clippy::print_stdout)]

use callboard_engine::{Engine, EngineConfig, State};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().ok_or("which port?")?.parse()?;
    let state = arguments.next().map_or(State::Ephemeral, |directory| {
        State::Directory(directory.into())
    });
    let engine = Engine::open(EngineConfig {
        state,
        ..EngineConfig::default()
    })
    .await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    engine.set_public_url(url.clone());
    println!("AWS_ENDPOINT_URL={url}");
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    engine.serve(listener, interrupted).await?;
    Ok(())
}
