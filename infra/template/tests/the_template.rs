//! `infra/template.yaml` itself: it loads, it says what design and neighbours rely on, and what is
//! changed in a copy of its text arrives in the stack.

use callboard_template::{
    Authorization, EventSource, Expr, Parameters, Reference, Stack, StartingPosition, StreamView,
    load,
};
use serde_json::json;

const TEXT: &str = include_str!("../../template.yaml");

/// What `callboard dev` brings: everything that AWS would look up.
fn local() -> Parameters {
    Parameters::default()
        .with("LinkKeys", "k1:0123456789abcdef0123456789abcdef")
        .with("PublicUrl", "http://127.0.0.1:8080")
        .with("MailTransport", "smtp://127.0.0.1:2525")
        .with("Architecture", "x86_64")
}

fn stack_of(text: &str, parameters: &Parameters) -> Stack {
    match load("template.yaml", text, parameters) {
        Ok(stack) => stack,
        Err(problems) => panic!("{problems}"),
    }
}

fn real() -> Stack {
    stack_of(TEXT, &local())
}

/// A lookup in which everything exists under a readable name.
fn lookup(reference: &Reference) -> Option<String> {
    Some(format!("<{reference}>"))
}

#[test]
fn loads_with_the_parameters_of_local_development() {
    let stack = real();
    let ids = |ids: Vec<&String>| ids.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        ids(stack.tables.iter().map(|table| &table.logical_id).collect()),
        ["JournalTable", "ViewsTable", "ContactsTable"]
    );
    assert_eq!(
        ids(stack
            .functions
            .iter()
            .map(|function| &function.binary)
            .collect()),
        [
            "outbox-relay",
            "waitlist-cascade",
            "waitlist-projector",
            "deadline-clock",
            "calendar-importer",
            "notification-planner",
            "email-sender",
            "command-api",
            "query-api"
        ]
    );
    assert_eq!(stack.topics.len(), 3);
    assert_eq!(stack.queues.len(), 15);
    assert_eq!(stack.subscriptions.len(), 7);
    assert_eq!(stack.queue_policies.len(), 8);
    assert!(
        stack
            .inert
            .iter()
            .any(|(_, kind)| kind == "AWS::CloudWatch::Alarm")
    );
}

#[test]
fn without_link_keys_the_dynamic_reference_is_named_with_its_way_out() {
    let problems = load("template.yaml", TEXT, &Parameters::default()).expect_err("unresolved");
    let text = problems.to_string();
    assert!(text.contains("LINK_KEYS"), "{text}");
    assert!(
        text.contains("give parameter `LinkKeys` another value"),
        "{text}"
    );
    let line = TEXT
        .lines()
        .position(|line| line.contains("{{resolve:"))
        .expect("in the text")
        + 1;
    assert!(text.contains(&format!("template.yaml:{line}:")), "{text}");
}

#[test]
fn a_dynamic_reference_given_as_the_value_of_a_parameter_is_refused_too() {
    let parameters = local().with("LinkKeys", "{{resolve:secretsmanager:keys}}");
    let problems = load("template.yaml", TEXT, &parameters)
        .expect_err("unresolved")
        .to_string();
    assert!(
        problems.contains("give parameter `LinkKeys` a plain value"),
        "{problems}"
    );
}

#[test]
fn the_journal_has_its_stream_its_agenda_and_the_optional_index() {
    let stack = real();
    let journal = stack.table("JournalTable").expect("journal");
    assert_eq!(journal.stream, Some(StreamView::NewImage));
    assert_eq!(journal.ttl_attribute.as_deref(), Some("ttl"));
    let names = |stack: &Stack| {
        let journal = stack.table("JournalTable").expect("journal");
        let indexes = journal
            .indexes
            .iter()
            .map(|index| index.name.clone())
            .collect::<Vec<_>>();
        (indexes, journal.attributes.len())
    };
    assert_eq!(
        names(&stack),
        (vec!["agenda".into(), "by-correlation".into()], 6)
    );
    let without = stack_of(TEXT, &local().with("TimelineIndex", "false"));
    assert_eq!(names(&without), (vec!["agenda".into()], 4));
}

#[test]
fn the_relay_reads_the_stream_as_designed() {
    let stack = real();
    let relay = stack.function_by_binary("outbox-relay").expect("relay");
    let [EventSource::Stream(source)] = relay.events.as_slice() else {
        panic!("one stream")
    };
    assert_eq!(source.starting_position, StartingPosition::TrimHorizon);
    assert!(source.bisect && source.report_item_failures && source.enabled);
    assert_eq!((source.max_retries, source.max_record_age_s), (-1, 21_600));
    assert_eq!(
        source.filters,
        [json!({"dynamodb":{"NewImage":{"relay":{"S":["1"]}}}})]
    );
    assert_eq!(
        source.on_failure.as_ref().and_then(Expr::target),
        Some("OutboxRelayFailureQueue")
    );
}

#[test]
fn every_queue_mapping_reports_partial_failures_and_bounds_concurrency() {
    let stack = real();
    let mut seen = 0;
    for function in &stack.functions {
        for event in &function.events {
            let EventSource::Sqs(source) = event else {
                continue;
            };
            seen += 1;
            assert!(source.report_item_failures, "{}", function.logical_id);
            assert_eq!(source.max_concurrency, Some(10), "{}", function.logical_id);
            let queue = source
                .queue
                .target()
                .and_then(|id| stack.queue(id))
                .expect("a queue");
            let visibility: u32 = queue.attributes["VisibilityTimeout"]
                .parse()
                .expect("seconds");
            assert!(
                visibility >= 6 * function.timeout_s,
                "{}",
                function.logical_id
            );
            // A failed head costs its followers in the batch a receive count each time; the
            // functions themselves give up after 5 tries.
            let fifo = queue
                .attributes
                .get("FifoQueue")
                .is_some_and(|fifo| fifo == "true");
            let receives = queue
                .redrive
                .as_ref()
                .map_or(0, |end| end.max_receive_count);
            assert!(
                !fifo || receives >= 5 + source.batch_size,
                "{}: a record could be dead-lettered untried",
                function.logical_id
            );
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn every_queue_that_is_consumed_has_a_dead_letter_queue_that_keeps_longer() {
    let stack = real();
    for queue in &stack.queues {
        let id = &queue.logical_id;
        let is_end = id.contains("DeadLetter") || id == "OutboxRelayFailureQueue";
        assert_eq!(queue.redrive.is_none(), is_end, "{id}");
        assert_eq!(queue.attributes["SqsManagedSseEnabled"], "true", "{id}");
        let Some(redrive) = &queue.redrive else {
            assert_eq!(
                queue.attributes["MessageRetentionPeriod"], "1209600",
                "{id}"
            );
            continue;
        };
        // What must not be set aside before an outcome is on record is kept as long as SQS can.
        let receives = if id == "EmailSenderQueue" { 1_000 } else { 10 };
        assert_eq!(
            redrive.max_receive_count, receives,
            "twice our own limit: {id}"
        );
        assert!(
            redrive
                .dead_letter_queue
                .target()
                .is_some_and(|dlq| dlq.contains("DeadLetter"))
        );
    }
}

#[test]
fn every_subscription_is_raw_and_has_a_dead_letter_queue_and_a_policy_for_its_topic() {
    let stack = real();
    for subscription in &stack.subscriptions {
        let id = &subscription.logical_id;
        assert!(subscription.raw, "{id}");
        assert_eq!(
            subscription
                .dead_letter_queue
                .as_ref()
                .and_then(Expr::target),
            Some("SubscriptionsDeadLetterQueue"),
            "{id}"
        );
        for queue in [
            subscription.endpoint.target(),
            Some("SubscriptionsDeadLetterQueue"),
        ] {
            let policy = stack
                .queue_policies
                .iter()
                .find(|policy| policy.queues.iter().any(|target| target.target() == queue))
                .expect("a policy");
            let document = policy
                .document
                .evaluate(&lookup)
                .expect("evaluates")
                .to_string();
            let topic = subscription.topic.target().expect("a topic");
            assert!(document.contains(&format!("<{topic}>")), "{id}: {document}");
        }
    }
}

#[test]
fn no_policy_allows_a_wildcard() {
    let stack = real();
    for function in &stack.functions {
        assert!(!function.statements.is_empty(), "{}", function.logical_id);
        for statement in &function.statements {
            let (at, id) = (statement.position, &function.logical_id);
            assert!(
                statement.actions.iter().all(|action| !action.contains('*')),
                "{id} {at}"
            );
            for resource in &statement.resources {
                let arn = resource.evaluate_text(&lookup).expect("evaluates");
                // IAM has no single stream for ListStreams: all streams of the one table.
                let allowed = statement.actions == ["dynamodb:ListStreams"];
                assert!(allowed || !arn.contains('*'), "{id} {at}: {arn}");
            }
        }
    }
}

#[test]
fn only_links_and_health_are_open_and_a_parameter_chooses_the_authorizer() {
    let open = |stack: &Stack| {
        let api = stack.http_api.as_ref().expect("an API");
        assert_eq!(api.routes.len(), 36);
        api.routes
            .iter()
            .filter(|route| route.authorization == Authorization::Open)
            .map(|route| format!("{} {}", route.method, route.path))
            .collect::<Vec<_>>()
    };
    let expected = [
        "GET /o/{token}",
        "HEAD /o/{token}",
        "GET /o/{token}/calendar.ics",
        "POST /o/{token}",
        "GET /w/{token}",
        "HEAD /w/{token}",
        "POST /w/{token}",
        "GET /c/{token}",
        "GET /v1/health",
    ];
    assert_eq!(open(&real()), expected);
    let parameters = local()
        .with("Authorizer", "jwt")
        .with("JwtIssuer", "https://issuer.example")
        .with("JwtAudience", "a, b");
    let with_jwt = stack_of(TEXT, &parameters);
    assert_eq!(open(&with_jwt), expected);
    let api = with_jwt.http_api.expect("an API");
    assert_eq!(
        api.routes[0].authorization,
        Authorization::Jwt {
            issuer: "https://issuer.example".into(),
            audience: vec!["a".into(), "b".into()]
        }
    );
}

#[test]
fn settings_of_a_function_evaluate_against_created_resources() {
    let stack = real();
    let sender = stack.function_by_binary("email-sender").expect("sender");
    let value = |name: &str| sender.env[name].evaluate_text(&lookup).expect("evaluates");
    assert_eq!(value("QUEUE_URL"), "<EmailSenderQueue>");
    assert_eq!(value("MAIL_TRANSPORT"), "smtp://127.0.0.1:2525");
    assert_eq!(value("PUBLIC_URL"), "http://127.0.0.1:8080");
    assert_eq!(value("HOLD_GRACE_SECONDS"), "5", "from Globals");
    assert_eq!(value("FUNCTION_NAME"), "email-sender");
    let api = stack
        .function_by_binary("command-api")
        .expect("command-api");
    assert_eq!((api.timeout_s, sender.timeout_s), (4, 10));
    assert_eq!(api.memory_mb, 256, "from Globals");
}

#[test]
fn a_secret_parameter_is_not_repeated_by_the_stack() {
    let stack = real();
    assert!(!stack.parameters.contains_key("LinkKeys"));
    assert_eq!(stack.parameters["OfferWindowSeconds"], "1800");
}

#[test]
fn a_renamed_queue_is_followed_everywhere() {
    let copy = TEXT.replace("EmailSenderQueue", "LetterQueue");
    let stack = stack_of(&copy, &local());
    assert!(stack.queue("EmailSenderQueue").is_none());
    assert!(stack.queue("LetterQueue").is_some());
    let sender = stack.function_by_binary("email-sender").expect("sender");
    let [EventSource::Sqs(source)] = sender.events.as_slice() else {
        panic!("one queue")
    };
    assert_eq!(source.queue.target(), Some("LetterQueue"));
    assert_eq!(sender.env["QUEUE_URL"].target(), Some("LetterQueue"));
}

#[test]
fn an_added_consumer_arrives_with_its_queue_and_subscription() {
    let added = "
  AuditQueue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 60}

  AuditSubscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref WaitlistEventsTopic
      Protocol: sqs
      Endpoint: !GetAtt AuditQueue.Arn

  AuditRole:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {}}

  AuditFunction:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: audit}}
    Properties:
      Role: !GetAtt AuditRole.Arn
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt AuditQueue.Arn}}

Outputs:";
    let stack = stack_of(&TEXT.replace("\nOutputs:", added), &local());
    let audit = stack.function_by_binary("audit").expect("added");
    assert_eq!(
        audit.events[0].source().and_then(Expr::target),
        Some("AuditQueue")
    );
    let subscription = stack.subscriptions.last().expect("added");
    assert_eq!(subscription.endpoint.target(), Some("AuditQueue"));
    assert_eq!(subscription.topic.target(), Some("WaitlistEventsTopic"));
    assert!(!subscription.raw && subscription.dead_letter_queue.is_none());
}
