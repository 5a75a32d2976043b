//! The template is the truth of the topology, with the real functions in it: what it says is what
//! runs, and what the functions need is in it. (Which constructs are served is tested in
//! `infra/template`, that every binary is known in `infra/host`.)

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use callboard_cli::system::{Options, TEMPLATE};
use callboard_host::{Registry, Service};
use callboard_runtime::batch::MAX_TRIES;
use callboard_template::Parameters;
use email_sender::provider::transport::Transport;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tower::service_fn;

use crate::house::{FUNCTIONS, House};
use crate::story::order_of;

/// A consumer that the house does not have: it hears of every notification.
const AUDITOR: &str = "
  AuditorQueue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref VisibilityTimeoutSeconds
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt AuditorDeadLetterQueue.Arn
        maxReceiveCount: 10
  AuditorDeadLetterQueue:
    Type: AWS::SQS::Queue
  AuditorSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref NotificationEventsTopic
      Protocol: sqs
      Endpoint: !GetAtt AuditorQueue.Arn
      RawMessageDelivery: true
  AuditorRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {}
      Policies:
        - PolicyName: function
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action: [sqs:ReceiveMessage, sqs:DeleteMessage]
                Resource: !GetAtt AuditorQueue.Arn
  AuditorFunction:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties: {Binary: auditor}
    Properties:
      CodeUri: ../functions/auditor/
      Role: !GetAtt AuditorRole.Arn
      Environment:
        Variables:
          FUNCTION_NAME: auditor
          HEARS: !GetAtt AuditorQueue.QueueName
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt AuditorQueue.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
";

type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// The house's functions and one that notes the type of what it hears.
fn with_auditor(heard: &Heard) -> Registry {
    let heard = heard.clone();
    Registry::standard().with("auditor", move |vars, _sdk| {
        let (heard, queue) = (heard.clone(), vars["HEARS"].clone());
        let note = move |event: LambdaEvent<Value>| {
            let records = event.payload["Records"].as_array().cloned();
            for record in records.unwrap_or_default() {
                let kind = &record["messageAttributes"]["type"]["stringValue"];
                let kind = kind.as_str().unwrap_or_default().to_owned();
                heard
                    .lock()
                    .expect("unpoisoned")
                    .push((queue.clone(), kind));
            }
            async { Ok::<_, lambda_runtime::Error>(json!({ "batchItemFailures": [] })) }
        };
        async move { Ok::<_, Infallible>(Service::new(service_fn(note))) }
    })
}

#[tokio::test]
async fn a_renamed_queue_and_an_added_consumer_run_as_the_template_says() {
    let copy = TEMPLATE
        .replace("EmailSenderQueue", "PostOfficeQueue")
        .replacen("\nOutputs:", &format!("{AUDITOR}\nOutputs:"), 1);
    assert_ne!(copy, TEMPLATE);
    let heard = Heard::default();
    let house = House::live_with(Options {
        template: ("copy.yaml".to_owned(), copy),
        registry: with_auditor(&heard),
        ..Options::default()
    })
    .await;
    let names: Vec<_> = house.queues().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"PostOfficeQueue".to_owned()));
    assert!(!names.contains(&"EmailSenderQueue".to_owned()));

    let dana = house.register("dana").await;
    house
        .say("OrderPlaced", "evt-1", order_of(&dana.id))
        .await
        .expect(202);
    house
        .until("the mail", async || house.mails_to(&dana.email).await.pop())
        .await;
    house.at_rest().await;
    let mut heard = heard.lock().expect("unpoisoned").clone();
    heard.sort();
    let kinds = ["delivery-succeeded", "notification-planned"];
    let expected = kinds.map(|kind| {
        let queue = "callboard-AuditorQueue".to_owned();
        (queue, format!("callboard.notification.{kind}.v1"))
    });
    assert_eq!(heard, expected);
    house.close().await;
}

#[tokio::test]
async fn without_the_timeline_index_all_but_timelines_works() {
    let mut options = Options::default();
    options
        .parameters
        .insert("TimelineIndex".to_owned(), "false".to_owned());
    let house = House::live_with(options).await;
    let dana = house.register("dana").await;
    let answer = house.order(&dana.id).await.expect(202).json();
    house
        .until("the mail", async || house.mails_to(&dana.email).await.pop())
        .await;
    let correlation = answer["correlationId"].as_str().expect("an id");
    let refused = house.api.get(&format!("/v1/timelines/{correlation}")).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (501, "no-timeline-index")
    );
    house.close().await;
}

#[tokio::test]
async fn every_variable_that_a_function_requires_is_in_the_template_and_missed_by_its_name() {
    let house = House::live().await;
    let registry = Registry::standard();
    for function in FUNCTIONS {
        let vars = house
            .host()
            .environment(&logical_id(function))
            .expect("a function")
            .clone();
        let build = async |vars| {
            let built = registry.build(function, vars, house.sdk.clone()).await;
            built.expect("a function")
        };
        assert!(build(vars.clone()).await.is_ok(), "{function}");
        let mut required = Vec::new();
        for name in vars.keys() {
            let mut without = vars.clone();
            without.remove(name);
            if let Err(error) = build(without).await {
                assert!(
                    error.to_string().contains(name),
                    "{function} without {name}: {error}"
                );
                required.push(name.as_str());
            }
        }
        let reads_a_table = function != "outbox-relay";
        assert_eq!(
            required.contains(&"JOURNAL_TABLE"),
            reads_a_table,
            "{function}"
        );
    }
    house.close().await;
}

/// `email-sender` is `EmailSenderFunction`.
fn logical_id(function: &str) -> String {
    let words = function.split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect::<String>() + "Function"
}

#[tokio::test]
async fn a_template_that_cannot_be_served_is_refused_by_line_and_property() {
    let copy = TEMPLATE.replacen(
        "FifoThroughputScope: MessageGroup",
        "FifoThroughputScope: MessageGroup\n      DeliveryPolicyNobodyKnows: 1",
        1,
    );
    let options = Options {
        template: ("copy.yaml".to_owned(), copy),
        ..Options::default()
    };
    let error = callboard_cli::system::System::start(options).await.err();
    let text = error.expect("refused").to_string();
    assert!(text.contains("copy.yaml:"), "{text}");
    assert!(text.contains("DeliveryPolicyNobodyKnows"), "{text}");
}

/// Whether the template's rules allow `transport` as `MailTransport`.
fn taken_by_the_template(transport: &str) -> bool {
    const PARAMETER: &str = "Parameters.MailTransport";
    let parameters = Parameters::default()
        .with("LinkKeys", "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE")
        .with("PublicUrl", "http://board.example")
        .with("MailTransport", transport);
    let loaded = callboard_template::load("template.yaml", TEMPLATE, &parameters);
    let Err(problems) = loaded else {
        return true;
    };
    assert!(!problems.to_string().contains("hunter2"), "{problems}");
    problems.0.iter().all(|problem| problem.path != PARAMETER)
}

#[test]
fn the_template_takes_the_mail_transports_that_the_sender_takes() {
    let transports = [
        "ses",
        "smtp://127.0.0.1:2525",
        "smtp://localhost",
        "smtp://[::1]:25",
        "smtps://mail.example.com",
        "smtps://mail.example.com:465",
        "smtp://mail.example.com:25",
        "smtp://10.0.0.1:25",
        "http://mail.example.com",
        "mail.example.com:25",
        "smtps://user@mail.example.com",
        "",
    ];
    let mut counts = (0, 0);
    for transport in transports {
        let sender = transport.parse::<Transport>().is_ok();
        assert_eq!(taken_by_the_template(transport), sender, "{transport}");
        counts = if sender {
            (counts.0 + 1, counts.1)
        } else {
            (counts.0, counts.1 + 1)
        };
    }
    assert_eq!(counts, (6, 6));
}

#[test]
fn a_mail_password_comes_by_reference_to_a_secret_alone() {
    let plain = "smtps://user:hunter2@mail.example.com:465";
    assert!(plain.parse::<Transport>().is_ok());
    assert!(!taken_by_the_template(plain));
    for reference in [
        "{{resolve:secretsmanager:callboard/smtp}}",
        "{{resolve:secretsmanager:callboard/smtp:SecretString:url::}}",
    ] {
        assert!(taken_by_the_template(reference), "{reference}");
    }
    // Lambda's environment is none of the places where CloudFormation resolves these.
    assert!(!taken_by_the_template(
        "{{resolve:ssm-secure:callboard-smtp}}"
    ));
}

#[test]
fn the_linter_of_the_template_knows_how_often_a_message_is_tried() {
    let told = include_str!("../../infra/policy/cfn-lint.yaml");
    assert!(told.contains(&format!("    tries: {MAX_TRIES}\n")));
}
