//! SQS in the older Query protocol, over a socket, as clients from before 2023 speak it.

use crate::sqs::{bodies, receive};
use crate::support::engine;
use aws_sdk_sqs::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Posts a form and gives status and body.
async fn post(address: std::net::SocketAddr, path: &str, form: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let status = answer[9..12].parse().expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, body.to_owned())
}

/// The text of the first element with this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect(name);
    rest.split_once(&format!("</{name}>")).expect(name).0
}

#[tokio::test]
async fn a_queue_is_used_by_forms_and_by_json_alike() {
    let engine = engine().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = engine.clone();
    tokio::spawn(async move { served.serve(listener, std::future::pending()).await });
    let version = "Version=2012-11-05";
    let form = format!(
        "Action=CreateQueue&{version}&QueueName=letters&Attribute.1.Name=VisibilityTimeout\
         &Attribute.1.Value=7&Tag.1.Key=team&Tag.1.Value=x"
    );
    let (status, xml) = post(address, "/", &form).await;
    assert_eq!(status, 200, "{xml}");
    let url = element(&xml, "QueueUrl").to_owned();
    let path = "/000000000000/letters";
    // The path names the queue, as in the oldest clients.
    let form = format!(
        "Action=SendMessage&{version}&MessageBody=a%20%3Cb%3E%0D&MessageAttribute.1.Name=k\
         &MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v"
    );
    let (status, xml) = post(address, path, &form).await;
    assert_eq!(status, 200, "{xml}");
    let id = element(&xml, "MessageId").to_owned();
    let form = format!(
        "Action=ReceiveMessage&{version}&AttributeName.1=All&MessageAttributeName.1=All\
         &MaxNumberOfMessages=10"
    );
    let (_, xml) = post(address, path, &form).await;
    assert_eq!(element(&xml, "MessageId"), id);
    assert_eq!(element(&xml, "Body"), "a &lt;b&gt;&#xD;");
    assert!(
        xml.contains("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"),
        "{xml}"
    );
    let attribute = element(&xml, "MessageAttribute");
    assert_eq!(element(attribute, "StringValue"), "v");
    let handle = element(&xml, "ReceiptHandle");
    let handle: String = url::form_urlencoded::byte_serialize(handle.as_bytes()).collect();
    let form = format!("Action=DeleteMessage&{version}&QueueUrl={url}&ReceiptHandle={handle}");
    let (status, xml) = post(address, "/", &form).await;
    assert_eq!(status, 200);
    assert!(!xml.contains("Result>"), "{xml}");
    let form = format!(
        "Action=SendMessageBatch&{version}&SendMessageBatchRequestEntry.1.Id=a\
         &SendMessageBatchRequestEntry.1.MessageBody=one&SendMessageBatchRequestEntry.2.Id=b\
         &SendMessageBatchRequestEntry.2.MessageBody=two\
         &SendMessageBatchRequestEntry.2.DelaySeconds=1000"
    );
    let (_, xml) = post(address, path, &form).await;
    assert_eq!(
        element(element(&xml, "SendMessageBatchResultEntry"), "Id"),
        "a"
    );
    assert_eq!(element(element(&xml, "BatchResultErrorEntry"), "Id"), "b");
    let sqs = Client::new(&engine.sdk_config());
    assert_eq!(bodies(&receive(&sqs, &url, 10).await), ["one"]);
    let form = format!("Action=GetQueueAttributes&{version}&AttributeName.1=VisibilityTimeout");
    let (_, xml) = post(address, path, &form).await;
    assert_eq!(element(&xml, "Value"), "7");
    let (status, xml) = post(address, path, &format!("Action=Dance&{version}")).await;
    assert_eq!((status, element(&xml, "Code")), (400, "InvalidAction"));
    let (status, xml) = post(address, "/1/nowhere", "Action=PurgeQueue").await;
    assert_eq!(status, 400);
    assert_eq!(
        element(&xml, "Code"),
        "AWS.SimpleQueueService.NonExistentQueue"
    );
}
