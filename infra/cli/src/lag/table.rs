//! The table for a person.

use super::{Consumer, Lag};

/// Consumers, then what lies aside, then what is exceeded.
pub(super) fn of(lag: &Lag) -> String {
    let names = lag.consumers.iter().map(|it| it.name.len());
    let names = names.chain(lag.aside.iter().map(|it| it.name.len()));
    let names = names.chain(lag.iterators.iter().map(|it| it.function.len()));
    let width = names.max().unwrap_or_default().max("consumer".len());
    let mut text = format!(
        "{}\n\n{:width$}  {:>8}  {:>8}  {:>9}  {:>8}  {:>12}\n",
        lag.at.strftime("%Y-%m-%d %H:%M:%SZ"),
        "consumer",
        "backlog",
        "delayed",
        "in flight",
        "oldest",
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
    if !lag.iterators.is_empty() {
        text.push_str(&format!("\n{:width$}  {:>8}\n", "reads a stream", "behind"));
    }
    for it in &lag.iterators {
        text.push_str(&format!("{:width$}  {:>8}\n", it.function, age(it.age_s)));
    }
    text.push_str("\nCounts are SQS's own, and approximate. ");
    text.push_str(&match &lag.ages_unknown {
        None => {
            "Ages are CloudWatch's, some minutes late; ? is what it knows nothing of.\n".to_owned()
        }
        Some(reason) => {
            format!("Ages are known to CloudWatch alone, and it does not tell:\n{reason}.\n")
        }
    });
    text
}

fn age(seconds: f64) -> String {
    format!("{seconds:.0} s")
}

fn row(consumer: &Consumer, width: usize) -> String {
    let dead = consumer.dead_letters;
    format!(
        "{:width$}  {:>8}  {:>8}  {:>9}  {:>8}  {:>12}\n",
        consumer.name,
        consumer.backlog,
        consumer.delayed,
        consumer.in_flight,
        consumer.oldest_s.map_or("?".to_owned(), age),
        dead.map_or("not named".to_owned(), |count| count.to_string())
    )
}
