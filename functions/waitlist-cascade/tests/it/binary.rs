//! The binary as Lambda runs it: what it writes on standard output beside its log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

/// Longest wait for a line; wide, for a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// One poisonous record, as `GET /runtime/invocation/next` answers it.
fn invocation() -> String {
    let record = json!({
        "messageId": "m-1", "receiptHandle": "", "body": "{no json",
        "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": "g" },
        "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "us-east-1",
    });
    let body = json!({ "Records": [record] }).to_string();
    format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: req-77\r\n\
         Lambda-Runtime-Deadline-Ms: 4102444800000\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Lambda's runtime API: gives the first who asks an invocation, and lets everything else wait.
fn runtime_api() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        let mut open: Vec<TcpStream> = Vec::new();
        while let Ok((mut socket, _)) = listener.accept() {
            let mut head = [0; 1_024];
            let first = open.is_empty();
            if first && matches!(socket.read(&mut head), Ok(read) if read > 0) {
                socket.write_all(invocation().as_bytes()).expect("written");
            }
            open.push(socket);
        }
    });
    address
}

#[test]
fn in_lambda_a_batch_that_fails_tells_cloudwatch_whatever_the_level_of_the_log() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let nobody = format!("http://{}", closed.expect("an address"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_waitlist-cascade"))
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", runtime_api().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "g"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "s"),
            ("AWS_ENDPOINT_URL", &nobody),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("LOG_LEVEL", "error"),
            ("STACK_NAME", "callboard-dev"),
            ("FUNCTION_NAME", "waitlist-cascade"),
            ("JOURNAL_TABLE", "journal"),
            ("VIEWS_TABLE", "views"),
            ("QUEUE_URL", &format!("{nobody}/q.fifo")),
            ("DLQ_URL", &format!("{nobody}/d.fifo")),
            ("HOLD_GRACE_SECONDS", "5"),
            ("SECOND_LOOK_SECONDS", "30"),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let (told, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let metrics = stdout.lines().map_while(Result::ok);
        for line in metrics.filter(|line| line.contains("_aws")) {
            drop(told.send(line));
        }
    });
    let line = lines.recv_timeout(PATIENCE);
    child.kill().expect("killed");
    child.wait().expect("ended");
    let line: Value = serde_json::from_str(&line.expect("a line of metrics")).expect("JSON");
    assert_eq!(line["Stack"], "callboard-dev");
    assert_eq!(line["Function"], "waitlist-cascade");
    assert_eq!(line["requestId"], "req-77");
    assert_eq!(line["BatchItemFailures"], 1);
    assert_eq!(line["BatchItemFailuresBy"]["not-dead-lettered"], 1);
    assert!(!line.to_string().contains("no json"), "no payload: {line}");
}
