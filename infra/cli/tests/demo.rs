//! The demo's story on systems in this process, and what may be done to a system
//! while it is told.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use callboard_cli::demo;
use callboard_cli::system::{Options, System};

fn quick() -> Options {
    let mut options = Options::default();
    options
        .parameters
        .insert("HoldGraceSeconds".into(), "1".into());
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_out_well_for_two_at_once_on_one_system() {
    let system = System::start(quick()).await.unwrap();
    let mut first = Vec::new();
    let mut second = Vec::new();
    let (one, two) = tokio::join!(
        demo::run_on(system.env().clone(), &mut first),
        demo::run_on(system.env().clone(), &mut second),
    );
    let text = String::from_utf8(first).unwrap();
    one.unwrap_or_else(|error| panic!("{error}\n{text}"));
    two.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&second)));
    assert!(text.contains("slot-released"), "{text}");
    assert!(!text.contains('\x1b'), "no colours where nobody looks");
    system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_systems_run_side_by_side_and_share_nothing() {
    let (one, two) = tokio::join!(System::start(quick()), System::start(quick()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.addresses(), two.addresses());
    one.mailbox()
        .deliver(
            "a@example.com",
            &["b@example.com".into()],
            b"Subject: x\r\n\r\n".to_vec(),
        )
        .await
        .unwrap();
    assert!(
        two.mailbox()
            .list(&Default::default())
            .await
            .unwrap()
            .is_empty()
    );
    one.shutdown().await;
    two.shutdown().await;
}
