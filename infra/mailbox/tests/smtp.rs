//! The mailbox as a sender meets it: `lettre` over TCP and over a pair of
//! in-process pipes, and raw lines for what no library would send.

#![allow(
    clippy::unwrap_used,
    reason = "a test says by its line what was not there"
)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use callboard_mailbox::{MESSAGE_BYTES_MAX, Mailbox, Query, Store};
use lettre::message::MultiPart;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf,
};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(10);

async fn memory() -> Mailbox {
    Mailbox::open(Store::Memory).await.unwrap()
}

fn message(to: &str) -> Message {
    Message::builder()
        .from("Callboard <desk@example.com>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("A place is free — grüezi")
        .multipart(MultiPart::alternative_plain_html(
            "Take it:\n.\n..\nhttp://localhost/o/abc".to_owned(),
            "<p>Take <a href=\"http://localhost/o/abc\">it</a></p>".to_owned(),
        ))
        .unwrap()
}

/// lettre asks a stream for its peer; a pipe has none, so this says loopback.
#[derive(Debug)]
struct Pipe(DuplexStream);

impl AsyncTokioStream for Pipe {
    fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 25)))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }
    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }
    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn pipe(mailbox: &Mailbox) -> DuplexStream {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let mailbox = mailbox.clone();
    tokio::spawn(async move { mailbox.session(server).await });
    client
}

/// Writes lines, reads replies: a client without a library.
struct Raw(BufReader<DuplexStream>);

impl Raw {
    async fn open(mailbox: &Mailbox) -> Self {
        let mut raw = Self(BufReader::new(pipe(mailbox)));
        assert_eq!(raw.reply().await, "220");
        raw
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// The code of the next reply; empty at the end of the stream.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            if line.is_empty() || line.as_bytes()[3] == b' ' {
                return line.chars().take(3).collect();
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    async fn begin_mail(&mut self, to: &str) {
        assert_eq!(self.ask("EHLO test").await, "250");
        assert_eq!(self.ask("MAIL FROM:<desk@example.com>").await, "250");
        assert_eq!(self.ask(&format!("RCPT TO:<{to}>")).await, "250");
        assert_eq!(self.ask("DATA").await, "354");
    }
}

#[tokio::test]
async fn a_mail_sent_by_lettre_over_tcp_is_shown_decoded() {
    let mailbox = memory().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn({
        let mailbox = mailbox.clone();
        async move {
            mailbox
                .serve_smtp(listener, async { drop(stopped.await) })
                .await
        }
    });
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(address.port())
        .build();
    transport
        .send(message("Anna <anna@example.com>"))
        .await
        .unwrap();

    let mail = mailbox.wait_for(PATIENCE, |_| true).await.unwrap().unwrap();
    assert_eq!(mail.from, "desk@example.com");
    assert_eq!(mail.to, ["anna@example.com"]);
    assert_eq!(mail.subject, "A place is free — grüezi");
    assert_eq!(
        mail.text.trim().replace("\r\n", "\n"),
        "Take it:\n.\n..\nhttp://localhost/o/abc"
    );
    assert!(mail.html.contains("<a href=\"http://localhost/o/abc\">"));
    assert_eq!(mail.header("To"), Some("Anna <anna@example.com>"));

    drop(stop);
    tokio::time::timeout(PATIENCE, server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_session_over_a_pipe_needs_no_socket_and_carries_many_mails() {
    let mailbox = memory().await;
    let mut connection = AsyncSmtpConnection::connect_with_transport(
        Box::new(Pipe(pipe(&mailbox))),
        &ClientId::default(),
    )
    .await
    .unwrap();
    for name in ["anna", "ben", "cleo"] {
        let mail = message(&format!("{name}@example.com"));
        connection
            .send(mail.envelope(), &mail.formatted())
            .await
            .unwrap();
    }
    let mails = mailbox.list(&Query::default()).await.unwrap();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.join("")).collect();
    assert_eq!(
        to,
        ["anna@example.com", "ben@example.com", "cleo@example.com"]
    );
}

#[tokio::test]
async fn a_pooled_connection_is_told_goodbye_when_the_server_stops() {
    let mailbox = memory().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        mailbox
            .serve_smtp(listener, async { drop(stopped.await) })
            .await
    });
    let mut client = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut line = String::new();
    client.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("220 "));
    drop(stop);
    line.clear();
    client.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("421 "), "{line}");
    tokio::time::timeout(PATIENCE, server)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    raw.send(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nNOPE\r\nDATA\r\nSubject: hi\r\n\r\nyes\r\n.\r\nQUIT\r\n").await;
    for code in ["250", "250", "250", "500", "354", "250", "221", ""] {
        assert_eq!(raw.reply().await, code);
    }
    let mails = mailbox.list(&Query::default()).await.unwrap();
    assert_eq!(mails[0].subject, "hi");
    assert_eq!(mails[0].from, "");
}

#[tokio::test]
async fn a_mail_over_the_limit_is_refused_and_the_next_one_taken() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    raw.begin_mail("anna@example.com").await;
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    for _ in 0..=MESSAGE_BYTES_MAX / line.len() {
        raw.send(&line).await;
    }
    assert_eq!(raw.ask(".").await, "552");
    raw.begin_mail("anna@example.com").await;
    assert_eq!(raw.ask("Subject: small\r\n\r\n.").await, "250");
    assert_eq!(mailbox.list(&Query::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_endless_command_line_is_refused_without_being_kept() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    raw.send(&vec![b'A'; 200_000]).await;
    assert_eq!(raw.ask("").await, "500");
    assert_eq!(raw.ask("NOOP").await, "250");
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_of_a_mail_leaves_nothing() {
    let mailbox = memory().await;
    let (client, server) = tokio::io::duplex(4096);
    let session = tokio::spawn({
        let mailbox = mailbox.clone();
        async move { mailbox.session(server).await }
    });
    let mut raw = Raw(BufReader::new(client));
    raw.reply().await;
    raw.begin_mail("anna@example.com").await;
    raw.send(b"Subject: half\r\n").await;
    drop(raw);
    drop(tokio::time::timeout(PATIENCE, session).await.unwrap());
    assert!(mailbox.list(&Query::default()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_let_go_after_five_minutes() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(raw.reply().await, "421");
    assert_eq!(begun.elapsed().as_secs(), 300);
}

#[tokio::test]
async fn addresses_can_ask_for_a_final_and_a_passing_refusal() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    assert_eq!(raw.ask("EHLO test").await, "250");
    assert_eq!(raw.ask("MAIL FROM:<desk@example.com>").await, "250");
    assert_eq!(raw.ask("RCPT TO:<bounce+anna@example.com>").await, "550");
    assert_eq!(raw.ask("RCPT TO:<tempfail@example.com>").await, "451");
    assert_eq!(raw.ask("RCPT TO:<anna@example.com>").await, "250");
}

#[tokio::test]
async fn an_address_can_ask_for_the_answer_to_be_lost_while_the_mail_is_kept() {
    let mailbox = memory().await;
    let mut raw = Raw::open(&mailbox).await;
    raw.begin_mail("lost-answer@example.com").await;
    assert_eq!(raw.ask("Subject: kept\r\n\r\n.").await, "");
    assert_eq!(
        mailbox.list(&Query::default()).await.unwrap()[0].subject,
        "kept"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_mail_ends_with_it_or_with_the_patience() {
    let mailbox = memory().await;
    let nothing = mailbox.wait_for(PATIENCE, |_| true).await.unwrap();
    assert_eq!(nothing, None);
    let waiter = tokio::spawn({
        let mailbox = mailbox.clone();
        async move {
            mailbox
                .wait_for(PATIENCE, |mail| mail.subject == "second")
                .await
        }
    });
    for subject in ["first", "second"] {
        let raw = format!("Subject: {subject}\r\n\r\n").into_bytes();
        mailbox
            .deliver("a@b.c", &["d@e.f".into()], raw)
            .await
            .unwrap();
    }
    let mail = waiter.await.unwrap().unwrap().unwrap();
    assert_eq!(mail.id, "2");
}
