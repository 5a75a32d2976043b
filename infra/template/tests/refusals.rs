//! What is refused, and at which line and column.

use callboard_template::{Parameters, load};

/// The problems of a text, as `line:column: path: message`.
fn problems_with(text: &str, parameters: &Parameters) -> Vec<String> {
    match load("t", text, parameters) {
        Ok(stack) => panic!("nothing is wrong with it: {stack:?}"),
        Err(problems) => problems
            .0
            .iter()
            .map(|problem| problem.to_string()[2..].to_owned())
            .collect(),
    }
}

fn problems(text: &str) -> Vec<String> {
    problems_with(text, &Parameters::default())
}

/// Exactly one problem, with this beginning and these words.
#[track_caller]
fn refused(text: &str, start: &str, words: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with(start),
        "{start} expected: {}",
        found[0]
    );
    assert!(found[0].contains(words), "`{words}` expected: {}", found[0]);
}

/// A queue with these lines as its properties.
fn queue(properties: &str) -> String {
    format!("Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    Properties:\n{properties}")
}

#[test]
fn text_that_is_no_yaml() {
    let found = problems("Resources:\n  Jobs: [1, 2\n");
    assert!(found[0].contains("not valid YAML"), "{found:?}");
    assert!(
        found[0].starts_with("3:") || found[0].starts_with("2:"),
        "{found:?}"
    );
}

#[test]
fn an_empty_text_and_a_second_document() {
    assert!(problems("")[0].contains("empty") || problems("")[0].contains("map of sections"));
    assert!(problems("a: 1\n---\nb: 2\n")[0].contains("one YAML document"));
}

#[test]
fn a_key_that_stands_twice() {
    let found = problems(&queue("      DelaySeconds: 1\n      DelaySeconds: 2\n"));
    assert!(found[0].starts_with("6:7: "), "{found:?}");
}

#[test]
fn an_unknown_section() {
    let text = format!("Mappings: {{}}\n{}", queue("      DelaySeconds: 1\n"));
    refused(
        &text,
        "1:1: Mappings: ",
        "section `Mappings` is not served here",
    );
}

#[test]
fn an_unknown_resource_type() {
    refused(
        "Resources:\n  Bus:\n    Type: AWS::Events::EventBus\n",
        "3:11: Resources.Bus.Type: ",
        "give it a place in infra/template/src/lists.rs",
    );
}

#[test]
fn a_mistyped_resource_type_gets_a_suggestion() {
    refused(
        "Resources:\n  Jobs:\n    Type: AWS::SQS::Quue\n",
        "3:11: Resources.Jobs.Type: ",
        "did you mean `AWS::SQS::Queue`?",
    );
}

#[test]
fn an_unknown_property() {
    refused(
        &queue("      RedriveAllowPolicy: {}\n"),
        "5:7: Resources.Jobs.Properties.RedriveAllowPolicy: ",
        "property of AWS::SQS::Queue `RedriveAllowPolicy` is not served here",
    );
}

#[test]
fn an_unknown_key_below_a_property() {
    refused(
        &queue(
            "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt Jobs.Arn\n        maxReceivCount: 3\n        maxReceiveCount: 3\n",
        ),
        "7:9: Resources.Jobs.Properties.RedrivePolicy.maxReceivCount: ",
        "did you mean `maxReceiveCount`?",
    );
}

#[test]
fn an_unknown_key_of_a_resource() {
    refused(
        "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    CreationPolicy: {}\n",
        "4:5: Resources.Jobs.CreationPolicy: ",
        "key `CreationPolicy` is not served here",
    );
}

#[test]
fn an_unknown_intrinsic_function() {
    refused(
        &queue("      QueueName: !ImportValue Name\n"),
        "5:18: Resources.Jobs.Properties.QueueName: ",
        "`Fn::ImportValue` is not served here",
    );
}

#[test]
fn an_intrinsic_function_that_shares_its_map() {
    let found = problems(&queue("      QueueName: {Ref: AWS::Region, Other: 1}\n"));
    assert!(found[0].starts_with("5:19: "), "{found:?}");
    assert!(found[0].contains("must be the only key"), "{found:?}");
}

#[test]
fn a_reference_that_leads_nowhere() {
    let dangling = [
        ("      QueueName: !Ref Jbs\n", "did you mean `Jobs`?"),
        (
            "      QueueName: !GetAtt Nobody.Arn\n",
            "neither a parameter nor a resource",
        ),
        (
            "      QueueName: !Sub 'a-${Nobody}'\n",
            "neither a parameter nor a resource",
        ),
        (
            "      QueueName: !Join ['-', [a, !Ref Nobody]]\n",
            "neither a parameter nor a resource",
        ),
    ];
    for (property, words) in dangling {
        refused(&queue(property), "5:", words);
    }
}

#[test]
fn a_reference_in_a_branch_that_is_not_taken() {
    let text = format!(
        "Conditions:\n  Never: !Equals [a, b]\n{}",
        queue("      QueueName: !If [Never, !Ref Nobody, jobs]\n")
    );
    refused(
        &text,
        "7:",
        "`Nobody` is neither a parameter nor a resource",
    );
}

#[test]
fn a_reference_in_an_inert_property() {
    let text = "Resources:\n  Logs:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      RetentionInDays: !Ref Nobody\n";
    refused(text, "5:", "`Nobody`");
}

#[test]
fn an_attribute_that_the_type_does_not_have() {
    refused(
        &queue(
            "      RedrivePolicy: {deadLetterTargetArn: !GetAtt Jobs.Url, maxReceiveCount: 3}\n",
        ),
        "5:",
        "has no attribute `Url`; known: Arn, QueueName, QueueUrl",
    );
}

#[test]
fn a_reference_of_the_wrong_kind() {
    let text = format!(
        "{}  News:\n    Type: AWS::SNS::Subscription\n    Properties:\n      TopicArn: !Ref Jobs\n      Protocol: sqs\n      Endpoint: !GetAtt Jobs.Arn\n",
        queue("      DelaySeconds: 1\n")
    );
    refused(&text, "9:", "must be `!Ref X`, X being an AWS::SNS::Topic");
}

#[test]
fn a_served_value_that_needs_what_exists_on_aws_alone() {
    let text = format!(
        "{}  Logs:\n    Type: AWS::Logs::LogGroup\n",
        queue("      QueueName: !Ref Logs\n")
    );
    refused(
        &text,
        "5:",
        "`Logs` (AWS::Logs::LogGroup) exists on AWS alone",
    );
}

#[test]
fn a_reference_to_a_resource_whose_condition_is_false() {
    let text = "\
Conditions:
  Never: !Equals [a, b]
Resources:
  Dead:
    Type: AWS::SQS::Queue
    Condition: Never
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
";
    refused(text, "10:", "`Dead` does not exist under these parameters");
}

#[test]
fn a_condition_that_is_unknown_or_depends_on_itself() {
    let unknown = "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    Condition: Nevr\n";
    let text = format!("Conditions:\n  Never: !Equals [a, b]\n{unknown}");
    refused(&text, "6:16: ", "did you mean `Never`?");
    let circle = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [{Condition: A}]\n";
    let text = format!("{circle}{}", queue("      DelaySeconds: 1\n"));
    refused(&text, "3:", "condition `A` depends on itself");
}

#[test]
fn depends_on_nobody() {
    refused(
        "Resources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    DependsOn: [Nobody]\n",
        "4:17: Resources.Jobs.DependsOn: ",
        "no resource is called `Nobody`",
    );
}

#[test]
fn a_value_out_of_range_and_one_of_the_wrong_type() {
    refused(
        &queue("      DelaySeconds: 901\n"),
        "5:21: ",
        "901 is out of range: 0 to 900",
    );
    refused(
        &queue("      DelaySeconds: soon\n"),
        "5:21: ",
        "must be a whole number",
    );
    refused(
        &queue("      FifoQueue: maybe\n"),
        "5:18: ",
        "must be true or false",
    );
    refused(
        &queue("      DeduplicationScope: queue\n"),
        "2:3: ",
        "needs `FifoQueue: true`",
    );
}

#[test]
fn a_table_whose_keys_and_attributes_disagree() {
    let text = "\
Resources:
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: a, AttributeType: S}]
      KeySchema: [{AttributeName: b, KeyType: HASH}]
";
    let found = problems(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("`a` is defined, but no key uses it"),
        "{found:?}"
    );
    assert!(
        found[1].contains("key attribute `b` is not in AttributeDefinitions"),
        "{found:?}"
    );
}

#[test]
fn a_dead_letter_queue_of_the_other_kind() {
    let text = "\
Resources:
  Dead:
    Type: AWS::SQS::Queue
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      FifoQueue: true
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
";
    refused(text, "4:3: Resources.Jobs: ", "must be FIFO");
}

#[test]
fn a_function_that_does_not_say_what_to_build() {
    let text = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Role: {Type: AWS::IAM::Role}
  Work:
    Type: AWS::Serverless::Function
    Properties: {Runtime: provided.al2023, Role: !GetAtt Role.Arn}
";
    refused(text, "4:3: Resources.Work: ", "`Metadata` is missing");
}

#[test]
fn a_filter_pattern_that_is_no_json() {
    let text = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Role: {Type: AWS::IAM::Role}
  Jobs: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Events:
        Queue:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            FilterCriteria: {Filters: [{Pattern: '{\"body\":'}]}
";
    refused(text, "16:50: ", "is not JSON");
}

#[test]
fn several_problems_are_reported_together_in_the_order_of_lines() {
    let text = "\
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: 901
      Colour: red
  Bus:
    Type: AWS::Events::EventBus
";
    let found = problems(text);
    let lines: Vec<&str> = found.iter().map(|line| &line[..2]).collect();
    assert_eq!(lines, ["5:", "6:", "8:"], "{found:#?}");
}

mod parameters {
    use super::{Parameters, problems_with, queue};

    fn text(rule: &str) -> String {
        format!(
            "Parameters:\n  Delay:\n    {rule}\n{}",
            queue("      DelaySeconds: !Ref Delay\n")
        )
    }

    #[track_caller]
    fn refused(rule: &str, value: Option<&str>, start: &str, words: &str) {
        let mut parameters = Parameters::default();
        if let Some(value) = value {
            parameters = parameters.with("Delay", value);
        }
        let found = problems_with(&text(rule), &parameters);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(
            found[0].starts_with(start),
            "{start} expected: {}",
            found[0]
        );
        assert!(found[0].contains(words), "`{words}` expected: {}", found[0]);
    }

    #[test]
    fn a_value_that_breaks_a_rule() {
        let number = "{Type: Number, Default: 5, MinValue: 2, MaxValue: 9}";
        let number = &number[1..number.len() - 1].replace(", ", "\n    ");
        refused(
            number,
            Some("1"),
            "2:3: Parameters.Delay: ",
            "`1` is less than MinValue 2",
        );
        refused(
            number,
            Some("10"),
            "2:3: ",
            "`10` is greater than MaxValue 9",
        );
        refused(number, Some("x"), "2:3: ", "`x` is not a number");
        let word = "Type: String\n    AllowedValues: [1, 2]";
        refused(word, Some("3"), "2:3: ", "`3` is not one of 1, 2");
        let pattern =
            "Type: String\n    AllowedPattern: '[0-9]'\n    ConstraintDescription: a digit";
        refused(pattern, Some("12"), "2:3: ", "`12` must be a digit");
        refused(
            "Type: String\n    MaxLength: 1",
            Some("12"),
            "2:3: ",
            "longer than MaxLength",
        );
    }

    #[test]
    fn a_default_that_breaks_a_rule_is_shown_at_the_default() {
        let rule = "Type: Number\n    Default: 50\n    MaxValue: 9";
        refused(
            rule,
            None,
            "4:14: Parameters.Delay: ",
            "greater than MaxValue 9",
        );
    }

    #[test]
    fn neither_value_nor_default() {
        refused(
            "Type: Number",
            None,
            "2:3: Parameters.Delay: ",
            "neither a value nor a default",
        );
    }

    #[test]
    fn an_unknown_type_or_key() {
        refused(
            "Type: List<Number>\n    Default: 1",
            None,
            "3:11: ",
            "is not served here",
        );
        refused(
            "Type: Number\n    Default: 1\n    Min: 0",
            None,
            "5:5: ",
            "key `Min`",
        );
    }

    #[test]
    fn a_value_for_a_parameter_that_is_not_declared() {
        let parameters = Parameters::default().with("Dely", "1");
        let found = problems_with(&text("Type: Number\n    Default: 1"), &parameters);
        assert!(found[0].starts_with("1:1: Parameters: "), "{found:?}");
        assert!(found[0].contains("did you mean `Delay`?"), "{found:?}");
    }

    #[test]
    fn a_secret_value_stays_out_of_the_message() {
        let rule = "Type: String\n    NoEcho: true\n    AllowedPattern: a+";
        let parameters = Parameters::default().with("Delay", "canary");
        let found = problems_with(&text(rule), &parameters).join("\n");
        assert!(!found.contains("canary"), "{found}");
    }
}

#[test]
fn nesting_without_end_is_refused_and_not_a_crash() {
    for depth in [300, 50_000] {
        let text = format!("Resources: {}{}", "[".repeat(depth), "]".repeat(depth));
        let found = problems(&text);
        assert!(!found.is_empty(), "{depth}");
    }
}

#[test]
fn a_schedule_that_is_no_rate() {
    let text = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Role: {Type: AWS::IAM::Role}
  Work:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: rust-cargolambda, BuildProperties: {Binary: work}}
    Properties:
      Runtime: provided.al2023
      Role: !GetAtt Role.Arn
      Events:
        Clock: {Type: Schedule, Properties: {Schedule: cron(0 8 * * ? *)}}
";
    refused(text, "11:56: ", "cron(…) is not served");
}
