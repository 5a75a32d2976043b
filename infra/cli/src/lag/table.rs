//! The table for a person.

use super::{Consumer, Lag};

/// What cannot be known by SQS, and where it is: said rather than guessed.
const NOT_HERE: &str = "\
Counts are SQS's own, and approximate. The age of the oldest message and the relay's iterator age are
known to CloudWatch alone (AWS/SQS ApproximateAgeOfOldestMessage, AWS/Lambda IteratorAge): see the alarms.
";

/// Consumers, then what lies aside, then what is exceeded.
pub(super) fn of(lag: &Lag) -> String {
    let names = lag.consumers.iter().map(|it| it.name.len());
    let names = names.chain(lag.aside.iter().map(|it| it.name.len()));
    let width = names.max().unwrap_or_default().max("consumer".len());
    let mut text = format!(
        "{}\n\n{:width$}  {:>8}  {:>8}  {:>9}  {:>12}\n",
        lag.at.strftime("%Y-%m-%d %H:%M:%SZ"),
        "consumer",
        "backlog",
        "delayed",
        "in flight",
        "dead letters"
    );
    for consumer in &lag.consumers {
        text.push_str(&row(consumer, width));
    }
    if !lag.aside.is_empty() {
        text.push_str(&format!("\n{:width$}  {:>8}\n", "set aside", "messages"));
    }
    for aside in &lag.aside {
        text.push_str(&format!("{:width$}  {:>8}\n", aside.name, aside.messages));
    }
    text.push('\n');
    text.push_str(NOT_HERE);
    text
}

fn row(consumer: &Consumer, width: usize) -> String {
    let dead = consumer.dead_letters;
    format!(
        "{:width$}  {:>8}  {:>8}  {:>9}  {:>12}\n",
        consumer.name,
        consumer.backlog,
        consumer.delayed,
        consumer.in_flight,
        dead.map_or("not named".to_owned(), |count| count.to_string())
    )
}
